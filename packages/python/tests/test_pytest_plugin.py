import pytest

SUITE = """
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_each_test_has_an_emulator(sealock, number):
        assert not sealock.pull().is_served
        sealock.push()
        sealock.revoke()

    @pytest.mark.sealock(settings={"cmk.propagation": "azure"})
    def test_marker_changes_a_setting(sealock):
        sealock.push()
        sealock.revoke()
        assert sealock.pull().is_served

    @pytest.fixture(scope="session")
    def urls():
        return []

    @pytest.mark.parametrize("number", range(4))
    def test_session_has_one_emulator(sealock_session, urls, number):
        urls.append(sealock_session.url)
        assert len(set(urls)) == 1
        assert len(sealock_session.status()["registries"]) == 1
"""


@pytest.mark.parametrize("options", [["-p", "no:xdist"], ["-n", "2"]])
def test_tests_are_isolated_in_one_process_and_in_parallel(pytester: pytest.Pytester, options: list[str]) -> None:
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("--strict-markers", *options).assert_outcomes(passed=9)


def test_failed_test_shows_the_log(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_fails(sealock): assert sealock.pull().is_served")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*sealock log*", "*404*"])


def test_options_of_a_suite_count_for_every_emulator(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        import pytest

        @pytest.fixture(scope="session")
        def sealock_options():
            return {"settings": {"server.auth": "enforced"}}
    """)
    pytester.makepyfile("""
        def test_asks_for_a_login(sealock, sealock_session):
            assert (sealock.pull().status, sealock_session.pull().status) == (401, 401)
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
