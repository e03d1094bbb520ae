"""A double of AWS that says no where AWS does: moto for the shapes, and here what moto lets through.

boto3 talks to it over HTTP, as it does to AWS. What it stands for is in its own tests, which know nothing
of uno; what it cannot prove (how long AWS takes, its mutating rate limits, its authentication actions,
stickiness between groups) only an account can.
"""
