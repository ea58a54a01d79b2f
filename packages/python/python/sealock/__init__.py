"""Start, drive and stop Sealock, a local emulator of an Azure Container Registry with a customer-managed key."""

from sealock.emulator import Effect, Emulator, Way
from sealock.error import SealockError
from sealock.names import resolve_localhost
from sealock.process import Sealock
from sealock.registry import Pull

__all__ = ["Effect", "Emulator", "Pull", "Sealock", "SealockError", "Way", "resolve_localhost"]
