"""A registered model in memory, with those methods of MLflow's client that move aliases and write tags."""

from types import SimpleNamespace


class FakeRegistry:
    """One registered model with the versions 1 … `num_versions`."""

    def __init__(self, num_versions: int) -> None:
        self.model = SimpleNamespace(aliases={}, tags={})
        self.versions = {str(n): SimpleNamespace(version=str(n), tags={}) for n in range(1, num_versions + 1)}

    def get_registered_model(self, name: str) -> SimpleNamespace:
        return self.model

    def search_model_versions(self, conditions: str) -> list[SimpleNamespace]:
        return list(self.versions.values())

    def get_model_version(self, name: str, version: str) -> SimpleNamespace:
        return self.versions[version]

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.model.aliases[alias] = version

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        del self.model.aliases[alias]

    def set_registered_model_tag(self, name: str, tag: str, value: str) -> None:
        self.model.tags[tag] = value

    def set_model_version_tag(self, name: str, version: str, tag: str, value: str) -> None:
        self.versions[version].tags[tag] = value

    def delete_model_version_tag(self, name: str, version: str, tag: str) -> None:
        del self.versions[version].tags[tag]
