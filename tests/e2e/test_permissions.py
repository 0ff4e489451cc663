"""What the service writes is nobody else's to read, whatever the shell's umask."""

import stat

import pytest

from tests.support.service import Service

pytestmark = pytest.mark.usefixtures("limit")


def test_files_and_sockets_are_for_their_owner_alone(service: Service):
    found = {path.relative_to(service.data_dir): path.lstat().st_mode for path in service.data_dir.rglob("*")}
    kinds = {stat.S_IFMT(mode) for mode in found.values()}
    assert {stat.S_IFREG, stat.S_IFSOCK, stat.S_IFDIR} <= kinds
    assert {str(path): oct(mode) for path, mode in found.items() if mode & 0o077} == {}
