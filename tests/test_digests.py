"""The digests of code, by which jobs run again that use what was edited, and no others."""

import pytest
from conftest import REPOSITORY

from skymask.errors import SkymaskError
from skymask.workflow import digests

SCRIPTS = {path.stem: path.read_text() for path in (REPOSITORY / "scripts").glob("*.py")}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules, of which one imports another."""
    for name, text in {
        "__init__": "",
        "a": "from skymask import b\n",
        "b": "",
        "c": "",
        "products/__init__": "",
        "products/report": "",
        "products/pages/style": "",
    }.items():
        path = tmp_path / f"{name}.{'css' if 'style' in name else 'py'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(digests, "PACKAGE", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    digests._imports_of.cache_clear()
    digests._digest_of.cache_clear()


def changed_by(package, name, script):
    before = digests.library_digest(script)
    (package / name).write_text("# edited\n" + (package / name).read_text())
    forget()
    return digests.library_digest(script) != before


@pytest.mark.parametrize("module", ["a.py", "b.py", "__init__.py"])
def test_what_a_script_imports_through_others_counts(package, module):
    assert changed_by(package, module, "from skymask import a\n")


@pytest.mark.parametrize("module", ["c.py", "products/report.py"])
def test_what_a_script_does_not_import_does_not_count(package, module):
    assert not changed_by(package, module, "from skymask import a\n")


def test_a_style_sheet_counts_for_what_renders_pages(package):
    assert changed_by(package, "products/pages/style.css", "from skymask.products.report import render_page\n")


def test_imports_within_functions_and_over_several_lines_count(package):
    assert changed_by(package, "b.py", "def f():\n    from skymask import (\n        a,\n    )\n")


def test_a_module_that_is_not_there_is_said(package):
    with pytest.raises(SkymaskError, match=r"^the module skymask\.nothing is not in .*: another skymask is installed"):
        digests.library_digest("import skymask.nothing\n")


def test_every_script_has_the_digest_of_its_own_imports():
    assert len({digests.library_digest(text) for text in SCRIPTS.values()}) > len(SCRIPTS) / 2


RULE = """rule {0}:
    script:
        "../../scripts/{0}.py"
"""


def test_text_and_script_of_a_rule_count_for_it_alone():
    rules = [RULE.format("a"), RULE.format("b")]
    was = digests.rule_digests(rules, lambda script: "")
    other_script = digests.rule_digests(rules, lambda script: "pass\n" if script == "a" else "")
    other_text = digests.rule_digests(
        [rules[0].replace("script", "threads: 1\n    script"), rules[1]], lambda script: ""
    )
    for edited in (other_script, other_text):
        assert edited["a"] != was["a"]
        assert edited["b"] == was["b"]


def test_every_rule_with_a_script_has_a_digest():
    rules = [path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk")]
    assert set(digests.rule_digests(rules, SCRIPTS.__getitem__)) == set(SCRIPTS)
