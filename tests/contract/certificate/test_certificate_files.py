"""Certificates on disk: made once, taken, rotated, refused. Real files, real X.509."""

import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from reconciler.core.clock import SystemClock
from reconciler.core.kind import View
from reconciler.core.values import Known
from reconciler.resources.certificate.act import CertificateActor
from reconciler.resources.certificate.material import VALID_DAYS, make
from reconciler.resources.certificate.observe import CertificateObserver
from reconciler.resources.certificate.plan import plan_certificate
from reconciler.resources.certificate.state import CertificateDesired, DeclaredPair, Pair, Unusable
from reconciler.routes import parse_certificate
from reconciler.spec.secrets import parse_template


class Bench:
    """A node's directory and the files of its owner."""

    def __init__(self, directory):
        self.directory = directory
        self.environment = {}
        self.clock = SystemClock()
        self.desired = self.wanting("127.0.0.1")

    def wanting(self, *names, declared=None):
        self.desired = CertificateDesired(
            names=names,
            declared=declared,
            directory=self.directory / "tls",
            reference=self.directory / "edge" / "certificate.json",
        )
        return self.desired

    def declare(self, chain, key):
        (self.directory / "own.pem").write_bytes(chain)
        (self.directory / "own.key").write_bytes(key)
        template = parse_template("${file:own.key}", self.directory)
        pair = DeclaredPair(chain=self.directory / "own.pem", key=template, source=None)
        self.wanting(*self.desired.names, declared=pair)

    async def look(self):
        observed = await CertificateObserver(self.desired, self.environment, self.clock).observe()
        assert isinstance(observed, Known)
        return observed.value

    async def converge(self):
        actor = CertificateActor(self.desired, self.environment, self.clock)
        plan = await self.plan()
        for operation in plan.operations:
            assert await actor.holds(operation)
            await actor.act(operation, lambda _text: None)
        assert (await self.plan()).operations == ()
        return [operation.verb for operation in plan.operations]

    async def plan(self):
        view = View(now=self.clock.now())
        return plan_certificate(self.desired, Known(await self.look(), view.now), view)

    def served(self):
        chain, key = parse_certificate(self.desired.reference.read_bytes())
        return x509.load_pem_x509_certificate(chain.read_bytes()), chain, key


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


async def test_one_is_made_once_kept_and_readable_by_its_user_only(bench):
    assert await bench.converge() == ["make"]
    first, _, key = bench.served()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert await bench.converge() == []
    assert bench.served()[0] == first


async def test_a_self_made_one_is_what_the_network_expects(bench):
    bench.wanting("fra.example.com", "203.0.113.7", "2001:db8::7")
    await bench.converge()
    made, _, _ = bench.served()
    assert isinstance(made.public_key().curve, ec.SECP256R1)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["fra.example.com"]
    addresses = names.get_values_for_type(x509.IPAddress)
    assert [str(address) for address in addresses] == ["203.0.113.7", "2001:db8::7"]
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days == VALID_DAYS


async def test_a_new_name_keeps_the_old_ones(bench):
    await bench.converge()
    bench.wanting("new.example.com")
    assert await bench.converge() == ["make"]
    assert (await bench.look()).served.names == ("new.example.com", "127.0.0.1")
    assert len(list(bench.desired.directory.iterdir())) == 2, "the pair before is not kept"


async def test_a_declared_one_is_taken_and_taken_again_when_it_changes(bench):
    await bench.converge()
    bench.declare(*make(["a.example.com"], bench.clock.now()))
    assert await bench.converge() == ["take"]
    _, _, key = bench.served()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    bench.declare(*make(["b.example.com"], bench.clock.now()))
    assert await bench.converge() == ["take"]
    assert (await bench.look()).served.names == ("b.example.com",)
    bench.wanting("127.0.0.1")
    assert await bench.converge() == ["make"]
    assert (await bench.look()).served == (await bench.look()).kept, "the one made first is back"


async def test_a_key_may_come_from_the_environment(bench):
    chain, key = make(["a.example.com"], bench.clock.now())
    bench.declare(chain, b"")
    bench.environment["TLS_KEY"] = key.decode()
    template = parse_template("${env:TLS_KEY}", bench.directory)
    declared = DeclaredPair(chain=bench.directory / "own.pem", key=template, source=None)
    bench.wanting("127.0.0.1", declared=declared)
    assert await bench.converge() == ["take"]


@pytest.mark.parametrize(
    ("chain", "key", "problem"),
    [
        ("other", "own", "the key does not belong to the certificate"),
        ("own", "junk", "the key is no PEM private key"),
        ("junk", "own", "the certificate file holds no PEM certificate"),
        ("own", "empty", "its key: "),
    ],
)
async def test_a_pair_that_cannot_be_served_is_refused_with_its_reason(bench, chain, key, problem):
    own, other = make(["a"], bench.clock.now()), make(["b"], bench.clock.now())
    chains = {"own": own[0], "other": other[0], "junk": b"junk"}
    keys = {"own": own[1], "junk": b"junk", "empty": b""}
    bench.declare(chains[chain], keys[key])
    found = (await bench.look()).declared
    assert isinstance(found, Unusable)
    assert found.problem.startswith(problem)
    assert (await bench.plan()).operations == ()


async def test_a_missing_file_is_named(bench):
    bench.declare(*make(["a"], bench.clock.now()))
    (bench.directory / "own.pem").unlink()
    assert "own.pem cannot be read" in (await bench.look()).declared.problem


async def test_a_lost_key_is_noticed_and_a_new_pair_is_made(bench):
    await bench.converge()
    _, _, key = bench.served()
    key.unlink()
    assert isinstance((await bench.look()).served, Unusable)
    assert await bench.converge() == ["make"]
    assert isinstance((await bench.look()).served, Pair)


async def test_no_value_of_an_observation_or_a_plan_holds_key_material(bench):
    chain, key = make(["a.example.com"], bench.clock.now())
    bench.declare(chain, key)
    secret = key.decode().splitlines()[1]
    assert secret not in repr((await bench.look(), await bench.plan(), bench.desired))
