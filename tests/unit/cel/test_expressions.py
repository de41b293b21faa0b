"""Expressions, what they give and how they are refused: the language and Kubernetes' libraries."""

from __future__ import annotations

from typing import Any

import pytest

from busk8s.api.cel import types
from busk8s.api.cel.errors import CelError, CelEvalError, CostExceeded
from busk8s.api.cel.program import Budget, compile

VARIABLES = {
    "self": types.DYN,
    "x": types.INT,
    "o": types.object_of({"a": types.INT, "b": types.list_of(types.STRING)}),
}
VALUES: dict[str, Any] = {
    "self": {"a": 3, "foo": [1, 2, 3], "m": {"k": "v"}, "s": "hello", "n": None, "f": 2.5},
    "x": 3,
    "o": {"a": 1, "b": ["p", "q"]},
}


def evaluate(text: str) -> Any:
    return compile(text, VARIABLES).evaluate(VALUES, Budget())


TRUE = """
self.a <= 5
o.a == 1 && has(o.b) && !has(self.nope)
self.foo.all(i, i > 0) && !self.foo.all(i, i > 1)
self.foo.exists(i, i == 2)
self.foo.exists_one(i, i == 2)
self.foo.map(i, i * 2) == [2, 4, 6]
self.foo.map(i, i > 1, i * 2) == [4, 6]
self.foo.filter(i, i > 1).size() == 2
self.m.all(k, k == 'k')
[1, 2].all(i, v, v > i)
['a', 'b'].exists(i, v, i == 1 && v == 'b')
[1, 2].existsOne(i, v, v == 2)
[1, 2].transformList(i, v, i + v) == [1, 3]
[1, 2].transformList(i, v, i > 0, i + v) == [3]
{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}
{'a': 'b'}.transformMapEntry(k, v, {v: k}) == {'b': 'a'}
'%s has %s'.format(['a', 'b']) == 'a has b'
'%.2f'.format([1.5]) == '1.50'
'%d %%'.format([3]) == '3 %'
'%s'.format([[1, 2]]) == '[1, 2]'
quantity('1Gi').isGreaterThan(quantity('1Mi'))
quantity('1').add(quantity('500m')).compareTo(quantity('1500m')) == 0
quantity('50k') == quantity('50000')
isQuantity('1.3Gi') && !isQuantity('1G i')
ip('10.0.0.1').family() == 4 && isIP('::1') && !isIP('1.2.3')
ip('127.0.0.1').isLoopback() && !ip('127.0.0.1').isGlobalUnicast()
ip.isCanonical('::1') && !ip.isCanonical('0:0::1')
cidr('10.0.0.0/8').containsIP('10.1.1.1') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))
cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')
url('https://a.b:80/c?q=1').getHost() == 'a.b:80'
url('https://a.b:80/c?q=1').getQuery() == {'q': ['1']}
isURL('/a/b') && !isURL('a b')
[1, 2, 3].isSorted() && [1, 2].sum() == 3 && [3, 1].max() == 3 && [3, 1].min() == 1
['a', 'b', 'a'].indexOf('a') == 0 && ['a', 'b', 'a'].lastIndexOf('a') == 2
[1, 1, 2].distinct() == [1, 2] && [3, 1].sort() == [1, 3] && [1, 2].reverse() == [2, 1]
'a1b2'.find('[0-9]') == '1' && 'a1b2'.findAll('[0-9]') == ['1', '2']
'a1b2'.matches('^[a-z0-9]+$')
sets.contains([1, 2], [1]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 1], [1])
self.?z.orValue(9) == 9
self.?a.hasValue() && self.m.?k == optional.of('v')
o.?a.orValue(9) == 1
optional.of(1).optMap(v, v + 1).value() == 2
self.foo[?7].hasValue() == false
[?self.?z, 1] == [1]
type(self.a) == int && type('') == string && type(type(1)) == type
timestamp('2020-02-29T01:02:03.004Z').getMonth() == 1
timestamp('2020-01-01T00:00:00Z') + duration('1h') == timestamp('2020-01-01T01:00:00Z')
timestamp('2020-01-01T00:00:00Z').getHours('+02:00') == 2
duration('1h30m').getMinutes() == 90 && duration('1h') > duration('30m')
string(duration('1m')) == '60s'
semver('1.2.3').isLessThan(semver('1.10.0')) && isSemver('v1.2', true) && !isSemver('v1.2')
semver('1.0.0-alpha').isLessThan(semver('1.0.0'))
!format.dns1123Label().validate('ab').hasValue()
format.named('dns1123Label').value().validate('A_').hasValue()
jsonpatch.escapeKey('a/b~c') == 'a~1b~0c'
1 / 0 == 1 || true
!(1 / 0 == 1 && false)
[0, 1].exists(i, 1 / i == 1)
int('5') in [1, 5] && 'k' in self.m
1 < 2.5 && dyn(1) == dyn(1.0) && 1u < 2
-7 / 2 == -3 && -7 % 2 == -1
string(1.0) == '1' && string(2.5) == '2.5' && double('1e3') == 1000.0
'abc'.substring(1, 2) == 'b' && 'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b'
' a '.trim().upperAscii() == 'A' && 'aXa'.replace('a', 'b') == 'bXb' && 'héllo'.indexOf('l') == 2
bytes('abc') == b'abc' && size('héllo') == 5
self.n == null && self.s.startsWith('he') && self.s.endsWith('lo') && self.s.contains('ell')
true ? x == 3 : false
'a' < 'b' && false < true
"""


@pytest.mark.parametrize("text", TRUE.strip().splitlines())
def test_expression_holds(text: str) -> None:
    assert evaluate(text) is True


REFUSED = {
    "x+'a'": "1:2: found no matching overload for '_+_' applied to '(int, string)'\n | x+'a'\n",
    "y": "1:1: undeclared reference to 'y' (in container '')\n | y\n | ^",
    "o.c": "1:2: undefined field 'c'\n | o.c\n | .^",
    "x.foo": "1:2: type 'int' does not support field selection\n | x.foo\n | .^",
    "[1, 'a']": "1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^",
    "size(5)": "1:5: found no matching overload for 'size' applied to '(int)'\n | size(5)\n",
    "'a'.isSorted()": "1:13: found no matching overload for 'isSorted' applied to 'string.()'",
    "x.all(i, i > 1)": "1:1: expression of type 'int' cannot be range of a comprehension",
    "self.nope(1)": "1:10: undeclared reference to 'nope' (in container '')",
    "true &&\n y": "2:2: undeclared reference to 'y' (in container '')\n |  y\n | .^",
    "self.a +": "1:9: Syntax error: mismatched input '<EOF>' expecting",
    "self.s.matches('(')": "1:16: invalid matches argument",
    "duration('1x') > duration('1s')": "1:10: invalid duration argument",
    "timestamp('x') == timestamp('y')": "1:11: invalid timestamp argument",
    "Foo{a: 1}": "1:1: undeclared reference to 'Foo' (in container '')",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_does_not_compile_says_where_and_why(text: str) -> None:
    with pytest.raises(CelError) as refused:
        compile(text, VARIABLES)
    assert str(refused.value).startswith(f"compilation failed: ERROR: <input>:{REFUSED[text]}")


FAILING = {
    "self.nope == 1": "no such key: nope",
    "[1, 2][5] == 1": "index out of bounds: 5",
    "1 / (x - 3) == 1": "division by zero",
    "9223372036854775807 + x > 0": "integer overflow",
    "self.s < 5": "no such overload",
    "int('a') == 1": "strconv.ParseInt",
    "self.s.matches(self.s + '(?P<')": "error parsing regexp",
    "timestamp(self.s) == timestamp(self.s)": "parsing time",
    "optional.none().value() == 1": "optional.none() dereference",
    "{'a': 1, 'a': 2}.size() == 1": "Failed with repeated key: a",
    "self.m.all(k, self.m[k] > 1)": "no such overload",
    "[].max() == 1": "max called on empty list",
}


@pytest.mark.parametrize("text", FAILING)
def test_what_has_no_value_says_why(text: str) -> None:
    with pytest.raises(CelEvalError, match=FAILING[text].split("(")[0]):
        evaluate(text)


def test_a_result_of_another_type_is_refused_by_name() -> None:
    with pytest.raises(CelError, match="must evaluate to bool but got int"):
        compile("1 + 1", {}, result=types.BOOL)


HOSTILE = {
    "loops in loops": "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))",
    "a string that doubles": "self.map(a, 'xxxxxxxxxxxxxxxxxxxx')"
    + ".map(s, s + s)" * 24
    + ".size() > 0",
    "a list that doubles": "[[1]]" + ".map(s, s + s)" * 27 + ".size() > 0",
    "a list of itself compared": "[[1]]"
    + ".map(s, [s, s])" * 27
    + " == [[1]]"
    + ".map(s, [s, s])" * 27,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_expression_is_stopped(text: str) -> None:
    variables = {"self": types.list_of(types.INT)}
    with pytest.raises((CostExceeded, CelError)):
        compile(text, variables).evaluate({"self": list(range(1000))}, Budget())


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "1" + ")" * 5000,
        "[" * 5000,
        "!" * 200_000 + "true",
        "1" + "+1" * 40_000,
        "\ud800",
    ],
    ids=["parentheses", "lists", "length", "a long sum", "a lone surrogate"],
)
def test_a_text_without_end_is_refused(text: str) -> None:
    with pytest.raises(CelError):
        compile(text, {})


def test_expressions_share_a_budget() -> None:
    program, budget = compile("self.all(a, a >= 0)", VARIABLES), Budget(6_000)
    values = {"self": list(range(1000))}
    program.evaluate(values, budget)
    assert budget.spent > 3_000
    with pytest.raises(CostExceeded):
        program.evaluate(values, budget)


def test_a_program_knows_what_it_reads() -> None:
    program = compile("self.a == x", VARIABLES)
    assert program.reads("self")
    assert not program.reads("o")


SCHEMA = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "ratio": {"type": "number"},
        "when": {"type": "string", "format": "date-time"},
        "data": {"type": "string", "format": "byte"},
        "port": {"x-kubernetes-int-or-string": True},
        "a-b": {"type": "string"},
        "namespace": {"type": "string"},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "times": {"type": "array", "items": {"type": "string", "format": "duration"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
CUSTOM = {
    "apiVersion": "a/v1",
    "kind": "A",
    "metadata": {"name": "n"},
    "replicas": 3,
    "ratio": 2,
    "when": "2024-01-01T00:00:00Z",
    "data": "aGk=",
    "port": "80%",
    "a-b": "c",
    "namespace": "ns",
    "tags": ["a", "b"],
    "times": ["1h"],
    "labels": {"k": "v"},
}


@pytest.mark.parametrize(
    "text",
    [
        "self.replicas == 3 && self.ratio / 4.0 == 0.5",
        "self.when.getFullYear() == 2024 && self.data == b'hi'",
        "type(self.port) == string && self.port.endsWith('%')",
        "self.a__dash__b == 'c' && self.__namespace__ == 'ns'",
        "self.tags == ['b', 'a']",
        "self.times.all(t, t > duration('30m'))",
        "self.labels['k'] == 'v' && self.labels.k == 'v'",
        "self.metadata.name == 'n' && self.kind == 'A'",
        "!has(self.free)",
    ],
)
def test_a_rule_sees_its_schema(text: str) -> None:
    of = types.of_schema(SCHEMA, resource_root=True)
    assert of is not None
    program = compile(text, {"self": of}, result=types.BOOL)
    assert program.evaluate({"self": CUSTOM}, Budget()) is True


@pytest.mark.parametrize("text", ["self.nope == 1", "self.replicas == 'a'", "self.free.x == 1"])
def test_a_rule_is_checked_against_its_schema(text: str) -> None:
    of = types.of_schema(SCHEMA, resource_root=True)
    assert of is not None
    with pytest.raises(CelError):
        compile(text, {"self": of})
