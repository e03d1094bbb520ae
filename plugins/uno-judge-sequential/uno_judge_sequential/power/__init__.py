"""What a canary would catch: the judge itself, on canaries that are made up."""
