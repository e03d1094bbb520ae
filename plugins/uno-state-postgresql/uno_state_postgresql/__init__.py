"""The state store `postgresql`: for deployments that outlive the machine that drives them."""
