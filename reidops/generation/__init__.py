"""Generate crops of people who do not exist with a generative adversarial network."""
