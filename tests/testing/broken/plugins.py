"""Distributions, broken in one place each."""

from tests.testing.broken.table import plugin

REGISTER = "def uno_register_health_checks():\n"
RECORD = 'HealthCheckInfo(name="ours", summary="Ours", load=load, options=options)'

plugin("test_it_registers_by_known_hooks", "a hook is not marked", ("plugin.py", "@hookimpl\n", ""))
plugin(
    "test_it_registers_by_known_hooks",
    "a hook is misspelt",
    ("plugin.py", "uno_register_health_checks", "uno_register_healthchecks"),
)
plugin(
    "test_hooks_take_nothing",
    "a hook wants the configuration",
    ("plugin.py", "health_checks()", "health_checks(config=None)"),
)
plugin(
    "test_hooks_return_the_records_of_their_kind",
    "a class instead of its record",
    ("plugin.py", RECORD, "load"),
)
plugin("test_hooks_return_the_records_of_their_kind", "no list", ("plugin.py", f"[{RECORD}]", f"({RECORD},)"))
plugin(
    "test_hooks_answer_the_same_each_time",
    "records are handed out once",
    ("plugin.py", f"return [{RECORD}]", f"return [HEAP.pop()] if HEAP else []\n\nHEAP = [{RECORD}]"),
)
plugin("test_names_can_be_typed", "a name with a blank", ("plugin.py", '"ours"', '"Our check"'))
plugin("test_names_can_be_typed", "a name twice", ("plugin.py", RECORD, f"{RECORD}, {RECORD}"))
plugin("test_summaries_are_one_line", "no summary", ("plugin.py", '"Ours"', '""'))
plugin(
    "test_the_entry_point_imports_no_sdk",
    "the SDK at the top",
    ("plugin.py", "def load", "import heavy_sdk\n\ndef load"),
)
plugin(
    "test_hooks_import_no_sdk",
    "the SDK in the hook",
    ("plugin.py", REGISTER, f"{REGISTER}    import heavy_sdk\n"),
)
plugin(
    "test_options_import_no_sdk",
    "the SDK beside the options",
    ("options.py", "import attrs", "import attrs, heavy_sdk"),
)
plugin("test_options_are_attrs_classes", "a plain class", ("options.py", "@attrs.frozen(kw_only=True)\n", ""))
plugin(
    "test_every_option_has_help",
    "a bare field",
    ("options.py", 'option(default=3, ge=1, help="how often")', "attrs.field(default=3)"),
)
plugin("test_every_default_is_valid", "a default out of its limits", ("options.py", "default=3", "default=0"))
plugin(
    "test_load_gives_a_class_of_its_kind", "an object", ("plugin.py", "return Check", "return Check(1, 2)")
)
plugin("test_load_gives_a_class_of_its_kind", "a module", ("check.py", "def check", "def probe"))
plugin(
    "test_the_class_can_be_constructed_as_uno_does",
    "services are not expected",
    ("check.py", "options, services", "options"),
)
plugin("test_it_requires_uno_core_with_an_upper_bound", "no upper bound", ("METADATA", ",<0.2", ""))
plugin(
    "test_it_requires_uno_core_with_an_upper_bound",
    "no requirement",
    ("METADATA", "Requires-Dist: uno-core>=0.1,<0.2\n", ""),
)
plugin("test_it_ships_its_types", "no py.typed", ("py.typed", None, None))
plugin("test_it_has_a_readme", "no readme", ("METADATA", "# Ours\n\nWhat it is for.\n", ""))
