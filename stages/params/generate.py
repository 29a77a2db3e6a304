"""The section `generate` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from reidops.params import params_dataclass
from stages.params.types import AboveZero, Count, NotNegative, Positive


@params_dataclass
class GenerateParams:
    """A generative network that draws crops of people who do not exist, for `train.generated`."""

    epochs: Count = Field(description="Number of epochs over the training crops. 0: no crops are generated.")
    autoencoder_epochs: Count = Field(
        description="Number of the first of these epochs in which the generator learns as the decoder of a variational "
        "autoencoder, which gives blurred people in few steps. 0: none."
    )
    num_crops: Positive = Field(description="Number of crops that are generated after the training.")
    height: Literal[32, 64, 128] = Field(
        description="Height of the generated crops, px. The width is half of it. 128 needs a GPU or hours of a CPU."
    )
    loss: Literal["wgan-gp", "logistic"] = Field(
        description="Loss of both networks. wgan-gp: Wasserstein distance with a gradient penalty. logistic: "
        "cross-entropy of real against generated with the R1 penalty, several times as fast."
    )
    critic_steps: Positive = Field(
        description="Number of steps of the critic per step of the generator. WGAN-GP is published with 5."
    )
    gradient_penalty: NotNegative = Field(
        description="Weight of the penalty. WGAN-GP is published with 10; R1 needs 0.01 to 1, less for small crops."
    )
    latent_dim: Positive = Field(description="Number of random values from which a crop is generated.")
    channels: Positive = Field(
        description="Number of channels of the largest map of both networks. Each smaller map has twice as many."
    )
    batch_size: Annotated[int, Field(ge=2)] = Field(description="Number of training crops in a batch.")
    learning_rate: AboveZero = Field(description="Learning rate of Adam for both networks.")
    ema: Annotated[float, Field(ge=0, lt=1)] = Field(
        description="Decay of the exponential moving average of the generator's weights, per step of the generator. "
        "The average generates the crops. 0: the last weights do."
    )
    embedder: str | None = Field(
        description="Embedder whose features measure the Fréchet distance: a folder with model.safetensors and "
        "embedder.json, relative to the repository, or models:/NAME@ALIAS. null: features of a network with fixed "
        "random weights."
    )
    threads: Positive | None = Field(
        description="Number of threads of torch. null: one per core. The last bits of the weights depend on it."
    )
    seed: Count = Field(description="Seed of the initial weights, the batches and the generated crops.")
