"""A check report for people, from its JSON form."""

from __future__ import annotations

from typing import Any

SHOWN = 20  # rejections and warnings listed one by one; the file of --rejected has them all
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", "": ""}


def report_text(report: dict[str, Any]) -> str:
    """Return the report as plain text, what matters most first."""
    parts = [_summary(report), _mapping(report), _rejected(report), _warnings(report), _prices(report), _filled(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(report: dict[str, Any]) -> str:
    kind = f"{report['format'].upper()}{', gzip' if report['gzipped'] else ''}, {report['encoding']}"
    if report["delimiter"]:
        kind += f", {DELIMITER_NAMES.get(report['delimiter'], report['delimiter'])} between cells"
    if report["preset"]:
        kind += f", {report['preset']} export"
    aside = [f"{report[name]:,} {name}" for name in ("folded", "unpublished", "blank") if report[name]]
    counts = f"{report['rows_read']:,} rows: {report['accepted']:,} products, {report['rejected']:,} rejected"
    return f"{report['catalog']}  ({kind})\n" + ", ".join([counts, *aside]) + f"  [{report['seconds']:.1f} s]"


def _mapping(report: dict[str, Any]) -> str:
    mapped = report["mapping"]
    lines = [f"  {name:<13} <- {' + '.join(headers)}" for name, headers in mapped.items()]
    taken = {header for headers in mapped.values() for header in headers}
    others = [header for header in report["headers"] if header not in taken]
    lines += [f"  attributes    <- {_listed(others)}"] if others else []
    return "Columns (change with --map field=header)\n" + "\n".join(lines)


def _rejected(report: dict[str, Any]) -> str:
    if not report["rejected"]:
        return ""
    lines = [
        f"  {found['count']:>7,}  {kind}, first on line {found['first_line']}: {found['fix']}"
        for kind, found in sorted(report["rejected_by_kind"].items(), key=lambda item: -item[1]["count"])
    ]
    lines += [""] + [
        f"  line {rejection['line']}{_in_column(rejection)}: {rejection['reason']}  [{rejection['value']}]"
        for rejection in report["rejections"][:SHOWN]
    ]
    if report["rejected"] > SHOWN:
        lines.append(f"  ... and {report['rejected'] - SHOWN:,} more; write them all with --rejected rejected.csv")
    return "Rejected rows\n" + "\n".join(lines)


def _in_column(entry: dict[str, Any]) -> str:
    return f", {entry['column']}" if entry["column"] else ""


def _warnings(report: dict[str, Any]) -> str:
    lines = [
        f"  {warning['count']:>7,}  {warning['column']}: {warning['reason']}"
        f" (first on line {warning['first_line']}: {warning['example']})"
        if warning["column"]
        else f"  {warning['count']:>7,}  {warning['reason']}"
        for warning in report["warnings"][:SHOWN]
    ]
    return "Warnings (the products stay)\n" + "\n".join(lines) if lines else ""


def _prices(report: dict[str, Any]) -> str:
    prices = report["prices"]
    if not prices["count"]:
        return ""
    currency = report["currency"] or "no currency given"
    span = f"{prices['lowest']:,.2f} to {prices['highest']:,.2f}, median {prices['median']:,.2f}"
    lines = [f"Prices ({currency}): {span}"]
    for odd, text in (("zero", "are zero"), ("extreme", "are far from all others")):
        if prices[odd]:
            examples = [f"line {example['line']}: {example['price']:,.2f}" for example in prices[f"{odd}_examples"][:5]]
            lines.append(f"  {prices[odd]:,} {text}: {'; '.join(examples)}")
    return "\n".join(lines)


def _filled(report: dict[str, Any]) -> str:
    accepted = report["accepted"]
    if not accepted:
        return ""
    shares = [
        f"{name} {100 * (accepted - missing) // accepted} %"
        for name, missing in report["empty"].items()
        if name in report["mapping"] and missing
    ]
    attributes = [f"{name} ({count:,})" for name, count in list(report["attributes"].items())[:12]]
    lines = [f"Filled: {', '.join(shares) or 'every mapped field of every product'}"]
    lines += [f"Attributes: {', '.join(attributes)}"] if attributes else []
    return "\n".join(lines)


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= SHOWN else ", ".join(names[:SHOWN]) + f" and {len(names) - SHOWN} more"
