"""What the documentation site makes of the code: the command's words, and the service's routes."""

import re
from typing import Any

REPOSITORY = "https://github.com/photochrom/photochrom/blob/main/"


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the references; lead links out of the site's folder to the repository."""
    if "<!-- command reference -->" in markdown:
        markdown = markdown.replace("<!-- command reference -->", command_reference())
    if "<!-- route reference -->" in markdown:
        markdown = markdown.replace("<!-- route reference -->", route_reference())
    depth = page.file.src_uri.count("/")
    outside = re.escape("../" * (depth + 1))
    return re.sub(rf"\]\({outside}(?!\.)([^)]+)\)", rf"]({REPOSITORY}\1)", markdown)


def command_reference() -> str:
    """Return every command with its options, as Markdown."""
    from photochrom.cli import build_app

    return build_app().generate_docs(output_format="markdown", heading_level=2)


def route_reference() -> str:
    """Return every route with its parameters, bodies and answers, as Markdown."""
    from photochrom.service.application import create_app
    from photochrom.service.limits import Limits

    api = create_app(Limits(jobs=1)).openapi()
    schemas = api["components"]["schemas"]
    lines = []
    for path, methods in api["paths"].items():
        for method, route in methods.items():
            lines += [f"## {method.upper()} {path}", "", _text(route), ""]
            if route.get("parameters"):
                lines += ["| parameter | in | what |", "|---|---|---|"]
                lines += [
                    f"| `{p['name']}` | {p['in']} | {_type(p['schema'])}. {_text(p)} |"
                    for p in route["parameters"]
                ]
                lines.append("")
            for kind, content in route.get("requestBody", {}).get("content", {}).items():
                lines += [f"Body: `{kind}`, {_type(content.get('schema', {}))}.", ""]
            lines += ["| status | answer |", "|---|---|"]
            for status, answer in route["responses"].items():
                kinds = answer.get("content", {})
                what = ", ".join(
                    f"`{kind}` {_type(body.get('schema', {}))}".strip()
                    for kind, body in kinds.items()
                )
                lines.append(f"| {status} | {_text(answer)} {what} |")
            lines.append("")
    lines += ["## Bodies and answers", ""]
    for name, schema in sorted(schemas.items()):
        lines += [f"### {name}", "", _text(schema), ""]
        if "properties" in schema:
            lines += ["| field | type | what |", "|---|---|---|"]
            required = schema.get("required", [])
            lines += [
                f"| `{field}`{'' if field in required else ' (optional)'} | {_type(what)} "
                f"| {_text(what)} |"
                for field, what in schema["properties"].items()
            ]
            lines.append("")
    return "\n".join(lines)


def _text(described: dict[str, Any]) -> str:
    text = described.get("description") or described.get("summary") or ""
    return re.sub(r"\s+", " ", text).replace("|", r"\|").strip()


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    name = str(schema.get("type", "any"))
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        return name
    return f"{name}, {'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"
