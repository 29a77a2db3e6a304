"""The folders of the stage `register`, in the order of its arguments, below a folder `data`."""

FOLDERS = (
    "raw",
    "crops",
    "validation",
    "generated",
    "model",
    "export",
    "reid",
    "detections",
    "embeddings",
    "tracking",
    "seeds",
    "registration",
)
