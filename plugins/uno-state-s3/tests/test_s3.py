"""The state in a bucket: the contract, what S3 can do to it, and what it costs."""

import pytest

from uno_core.testing import PluginContract, StateStoreContract

pytest_plugins = ["clouds"]

component = pytest.mark.component("envoy")


@component
class TestStore(StateStoreContract):
    @pytest.fixture
    def open(self, connect):
        return connect


class TestPlugin(PluginContract):
    distribution = "uno-state-s3"
    sdks = ("boto3", "botocore")
