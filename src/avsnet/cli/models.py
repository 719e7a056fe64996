"""`avsnet models`: the depth models, their licences and their weights."""


def models() -> int:
    """List the depth models: what they give, their licences, where weights are published, which are on this disk."""
    from avsnet.models.registry import PREFIX_FORMS, list_models, model_info
    from avsnet.weights import PACKAGED, cache_folder, find_weights, packaged_training

    trained: dict[str, str] = {}
    rows = [("name", "gives", "parameters", "code licence", "weights licence", "on disk", "published", "source")]
    for info in map(model_info, list_models()):
        count = "unknown" if info.parameters is None else f"{info.parameters:,}"
        weights = find_weights(info.name)
        here = "no" if weights is None else "packaged" if weights.parent == PACKAGED else "yes"
        if (seen := packaged_training(info.name)) is not None:
            trained[info.name] = seen
        published = info.published or "nowhere"
        rows.append(
            (info.name, info.output, count, info.code_licence, info.weights_licence, here, published, info.source)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if len(rows) > 1:
        print("\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows))
        for name, seen in trained.items():
            print(f"{name} was trained on {seen}: its MODEL_CARD.md says under which terms.")
        print(f"Published weights belong in {cache_folder()}, a file or folder under the model's name.")
    else:
        print("No network of its own is registered yet.")
    print("Third-party networks, by prefix: " + ", ".join(PREFIX_FORMS))
    return 0
