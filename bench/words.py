"""Bodies to file: texts of several kinds, each with a contact of its own."""

import json
from collections.abc import Iterator

TEXTS = (
    "我父亲今天下午要去做透析，小区封控出不去，请帮忙安排车辆。",
    "家里的降压药只剩两天的量了，能不能帮忙代配？",
    "老人一个人住，冰箱里已经没有菜了，想买点米和蔬菜。",
    "请问从外地回来需要隔离几天？在哪里做核酸？",
    "楼下水管爆了，整栋楼都停水，物业电话打不通。",
    "孩子发烧三十九度，一直不退，怎么去医院？",
    "怀孕三十八周，刚才开始肚子疼，需要马上去医院。",
    "一直关在家里睡不着，心里很慌，想找人说说话。",
    "I need insulin by tomorrow morning, the pharmacy in our street is closed.",
    "Our building has had no electricity since last night and my mother uses an oxygen machine.",
    "How long do I have to stay at home after a contact? Nobody has told us.",
    "We have three small children and no formula left.",
)
PLACES = ("金茂花苑3幢502室", "虎啸村12组18号", "聚福村5组2号", "龙吟村8组31号", "独山港镇中心路88号")


def body(number: int) -> bytes:
    """The body with this number, the same at every call."""
    return json.dumps(
        {
            "text": TEXTS[number % len(TEXTS)],
            "channel": "app",
            "contact": {"name": "张三", "phone": f"139{number % 100_000_000:08d}"},
            "place": {"address": PLACES[number % len(PLACES)]},
        },
        ensure_ascii=False,
    ).encode()


def bodies(first: int, count: int) -> Iterator[bytes]:
    """So many bodies, from the one with this number."""
    return (body(number) for number in range(first, first + count))
