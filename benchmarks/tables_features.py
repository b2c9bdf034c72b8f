"""The tables of docs/features.md, from what benchmarks/features.py has measured."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.experiment_claims import NETWORKS

RESULTS = Path(__file__).parents[1] / "results" / "published" / "cifar10-jpeg"
NAMES = {
    **{name: NETWORKS[name].label for name in ("lst20", "lst20-relu", "resnet20")},
    "lst20 untrained": "LST-20, untrained",
    "lst20 random untrained": "LST-20, untrained, random for DCT",
    "resnet20 untrained": "ResNet-20, untrained",
}
SPARSITY = {
    "hoyer": "Hoyer",
    "hoyer_channels": "Hoyer, by channel",
    "small_relative": "below 10 % of RMS",
    "small": "below 0.1 *",
    "amplitude": "mean \\|x\\| *",
}
CHANGE = {"cosine": "cosine to clean", "distance": "distance to clean"}
FREQUENCIES = {
    "energy_mean": "maps' means",
    "energy_low": "low",
    "energy_mid": "middle",
    "energy_high": "high",
    "band_v0_h0": "band 0,0",
    "band_v1_h0": "band 1,0",
    "band_v0_h1": "band 0,1",
    "band_v1_h1": "band 1,1",
}
ALL = "all layers"
SHARES = {"small", "small_relative", "zeros", *FREQUENCIES}


def answer() -> str:
    """The findings, with the numbers that they rest on; tests/test_features_page.py holds the words against them."""
    lst, resnet, before, random, resnet_before = (
        {key: _text(key, *_ends(name, key)) for key in ("hoyer", "small", "amplitude")}
        for name in ("lst20", "resnet20", "lst20 untrained", "lst20 random untrained", "resnet20 untrained")
    )
    behind = {name: _text("hoyer", *_ends(name, "hoyer", "bn")) for name in ("lst20", "resnet20")}
    moved = {name: _text("distance", *_ends(name, "distance", "bn", "corrupted")) for name in ("lst20", "resnet20")}
    found = _rows("feature_differences", "output", "clean", "hoyer")
    st = found[(found["network_b"] == "lst20-relu") & (found["layer"] == ALL)].iloc[0]
    difference = _number("hoyer", st["difference"], signed=True)
    trainings = ", ".join(_number("hoyer", st[end], signed=True) for end in ("trainings_low", "trainings_high"))
    return (
        f"- **Lower amplitude: yes, by far. But that is scale.** {lst['small']} % of LST-20's values are below 0.1,\n"
        f"  {resnet['small']} % of ResNet-20's. A BN follows each of these layers and undoes any factor, so this\n"
        f"  says nothing of the network. LST-20 with random initial weights has {random['small']} %, and is the\n"
        "  least sparse LST-20.\n"
        "- **Sparser: yes, by a little before the BN and more behind it.** Hoyer sparsity is\n"
        f"  {lst['hoyer']} against {resnet['hoyer']}, and behind the BN {behind['lst20']}\n"
        f"  against {behind['resnet20']}; higher with each of three seeds. All of this is nearer to the 0.20 of\n"
        "  normal noise than to 1.\n"
        f"- **It is there before training.** Untrained, LST-20 has {before['hoyer']}, with random weights in\n"
        f"  place of the DCT {random['hoyer']}, and ResNet-20 {resnet_before['hoyer']}: the DCT makes\n"
        "  most of that difference, the structure the rest. Training makes the first third of LST-20's layers less\n"
        "  sparse and the last third more.\n"
        "- **Soft thresholding changes nothing to be seen.** At tau = 1e-4 it sets less than 0.1 % of the values to\n"
        "  0, and moves all others by 1e-4. Hoyer sparsity with ST minus that without:\n"
        f"  {difference}, over trainings [{trainings}].\n"
        "- **Sparser is not steadier.** The corruptions move LST-20's features further: behind the BN by\n"
        f"  {moved['lst20']} of their length, ResNet-20's by {moved['resnet20']}."
    )


def _ends(network: str, measure: str, step: str = "output", cell: str = "clean") -> tuple[float, float, float]:
    value = _value(step, network, cell, measure)
    assert value is not None
    return value["mean"], value["low"], value["high"]


def sparsity() -> str:
    """Means over all layers on clean images, with their intervals."""
    return _means("output", "clean", SPARSITY)


def sparsity_differences() -> str:
    return _differences(
        "output", "clean", {key: SPARSITY[key] for key in ("hoyer", "hoyer_channels", "small_relative", "small")}
    )


def by_size() -> str:
    """Hoyer sparsity by the size of the maps."""
    found = _rows("features", "output", "clean", "hoyer")
    found = found[found["layer"].str.startswith("maps")]
    wide = found.pivot(index="network", columns="layer", values="mean").loc[list(NAMES)]
    wide = wide[sorted(wide.columns, key=lambda name: -int(name.split()[2]))].map("{:.3f}".format)
    return _markdown(wide.rename(index=NAMES))


def behind_bn() -> str:
    """The same behind the BN that follows, and the differences."""
    measures = {key: SPARSITY[key] for key in ("hoyer", "hoyer_channels", "small_relative")}
    return f"{_means('bn', 'clean', measures)}\n\n{_differences('bn', 'clean', measures)}"


def change() -> str:
    """How far the corruptions move the features, before and behind the BN."""
    parts = {step: _wide(step, "corrupted", CHANGE) for step in ("output", "bn")}
    words = {"output": "", "bn": ", behind BN"}
    tables = [table.rename(columns=lambda name, step=step: f"{name}{words[step]}") for step, table in parts.items()]
    return _markdown(
        pd.concat(tables, axis=1).loc[[n for n in NAMES if n in tables[0].index]].fillna("").rename(index=NAMES)
    )


def change_differences() -> str:
    return _differences("bn", "corrupted", CHANGE)


def frequencies() -> str:
    """Shares of energy in percent."""
    rows = {}
    for network in NAMES:
        own = {key: _value("output", network, "clean", key) for key in FREQUENCIES}
        rows[NAMES[network]] = {
            FREQUENCIES[key]: "" if v is None else f"{100 * v['mean']:.1f}" for key, v in own.items()
        }
    return _markdown(pd.DataFrame.from_dict(rows, orient="index"))


def soft_thresholding() -> str:
    """Which share of what T_s takes is zero."""
    with_st, without = (_value("input", name, "clean", "zeros") for name in ("lst20", "lst20-relu"))
    assert with_st is not None and without is not None
    return (
        f"Of what T_s takes, ST has made {100 * with_st['mean']:.2f} % zero [{100 * with_st['low']:.2f}, "
        f"{100 * with_st['high']:.2f}] (n = {with_st['n']:,.0f}; without ST: {100 * without['mean']:.2f} %)."
    )


def _read(table: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"{table}.csv")


def _rows(table: str, step: str, cell: str, measure: str) -> pd.DataFrame:
    found = _read(table)
    return found[(found["step"] == step) & (found["cell"] == cell) & (found["measure"] == measure)]


def _value(step: str, network: str, cell: str, measure: str) -> pd.Series | None:
    found = _rows("features", step, cell, measure)
    found = found[(found["network"] == network) & (found["layer"] == ALL)]
    return None if found.empty else found.iloc[0]


def _wide(step: str, cell: str, measures: dict[str, str]) -> pd.DataFrame:
    rows = {}
    for network in NAMES:
        values = {title: _value(step, network, cell, key) for key, title in measures.items()}
        if all(value is not None for value in values.values()):
            rows[network] = {
                title: _text(key, value["mean"], value["low"], value["high"])
                for (key, title), value in zip(measures.items(), values.values(), strict=True)
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def _means(step: str, cell: str, measures: dict[str, str]) -> str:
    return _markdown(_wide(step, cell, measures).rename(index=NAMES))


def _differences(step: str, cell: str, measures: dict[str, str]) -> str:
    """A row a pair and measure: the difference with both kinds of intervals, and each seed."""
    rows = []
    found = _read("feature_differences")
    found = found[(found["step"] == step) & (found["cell"] == cell) & (found["layer"] == ALL)]
    for _, row in found[found["measure"].isin(list(measures))].iterrows():
        key = row["measure"]
        trainings = [_number(key, row[end], signed=True) for end in ("trainings_low", "trainings_high")]
        rows.append(
            {
                "": f"{NAMES[row['network_a']]} minus {NAMES[row['network_b']]}",
                "measure": measures[key],
                "difference, over images": _text(key, row["difference"], row["low"], row["high"], signed=True),
                "seeds 0, 1, 2": ", ".join(_number(key, row[f"seed{seed}"], signed=True) for seed in range(3)),
                "over trainings": "[{}, {}]".format(*trainings),
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def _text(measure: str, mean: float, low: float, high: float, *, signed: bool = False) -> str:
    numbers = (_number(measure, value, signed=signed) for value in (mean, low, high))
    return "{} [{}, {}]".format(*numbers)


def _number(measure: str, value: float, *, signed: bool = False) -> str:
    """Shares in percent, all else as it is."""
    sign = "+" if signed else ""
    return f"{100 * value:{sign}.1f}" if measure in SHARES else f"{value:{sign}.3f}"


def _markdown(table: pd.DataFrame) -> str:
    return table.rename_axis(None).to_markdown(disable_numparse=True)
