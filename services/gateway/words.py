"""Words for people, in Chinese and English: categories with what to ask, whom to ring, who holds a request inside."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.contracts.directory import Named
from shared.contracts.vocabulary import Category

EMERGENCY_ADVICE = Named(
    zh="如有生命危险, 请立即拨打: 医疗急救 120, 火警 119, 报警 110。不要等候本平台答复; 您的诉求我们同时加急办理。",
    en="If life is in danger, ring now: ambulance 120, fire 119, police 110. Do not wait for our answer; "
    "your request is handled urgently meanwhile.",
)

HOLDING_SERVICES: Mapping[str, Named] = MappingProxyType(
    {
        "triage": Named(zh="研判", en="triage"),
        "dispatch": Named(zh="派单", en="dispatch"),
        "followup": Named(zh="回访", en="follow-up"),
    }
)

RESIDENT = Named(zh="求助人", en="the resident who asked for help")
"""Who holds a request while a question to him is open."""

# category: name, and what to ask for whoever takes the call
CATEGORIES: Mapping[Category, tuple[Named, Named]] = MappingProxyType(
    {
        Category.MEDICAL: (
            Named(zh="就医", en="Medical care"),
            Named(
                zh="哪里不适? 何时开始? 有无定期治疗或接种, 下次是哪天? 能否自行走动?",
                en="What is wrong, and since when? Is a treatment or dose due, and on which day? Can the person walk?",
            ),
        ),
        Category.MEDICINE: (
            Named(zh="用药", en="Medicine"),
            Named(
                zh="药名和剂量? 还够用几天? 有无处方?",
                en="Which medicine and dose? For how many days is there some left? Is there a prescription?",
            ),
        ),
        Category.FOOD_SUPPLIES: (
            Named(zh="生活物资", en="Food and supplies"),
            Named(
                zh="缺什么? 几口人? 还能维持几天? 有无婴儿或忌口?",
                en="What is missing? How many people? For how many days is there enough? Any baby, any diet?",
            ),
        ),
        Category.TRANSPORT: (
            Named(zh="出行用车", en="Transport"),
            Named(
                zh="从哪里到哪里? 几点要到? 能否坐车, 是否需要担架?",
                en="From where to where, and to arrive when? Can the person sit, or is a stretcher needed?",
            ),
        ),
        Category.ELDERLY_CHILD_CARE: (
            Named(zh="老幼照护", en="Care of the old and the young"),
            Named(zh="需要照护的是谁? 现在身边有人吗?", en="Who needs care? Is anybody with them now?"),
        ),
        Category.MATERNITY: (
            Named(zh="孕产", en="Maternity"),
            Named(
                zh="孕几周? 预产期? 有无腹痛、出血? 产检医院?",
                en="Which week, and due when? Any pain or bleeding? Which hospital knows her?",
            ),
        ),
        Category.QUARANTINE_POLICY: (
            Named(zh="防疫政策", en="Quarantine rules"),
            Named(
                zh="从哪里来, 何时到? 现在处于哪种管控?", en="Coming from where, arriving when? Which measure applies?"
            ),
        ),
        Category.UTILITIES_PROPERTY: (
            Named(zh="水电气与物业", en="Water, power, gas, housing"),
            Named(zh="什么坏了? 影响几户? 有无危险?", en="What has failed? For how many homes? Is there any danger?"),
        ),
        Category.MENTAL_HEALTH: (
            Named(zh="心理援助", en="Mental health"),
            Named(
                zh="现在是否安全? 身边有人吗? 愿意接听心理热线吗?",
                en="Is the person safe now? Is anybody there? Would a call from the helpline be welcome?",
            ),
        ),
        Category.WORK_TRAVEL: (
            Named(zh="复工与往来", en="Work and travel"),
            Named(zh="单位和岗位? 往返哪里? 何时?", en="Which employer and work? Between which places, and when?"),
        ),
        Category.RESCUE: (
            Named(zh="救援", en="Rescue"),
            Named(
                zh="在哪里? 有几人? 有人受伤吗? 先拨 110、119 或 120。",
                en="Where, and how many people? Is anybody hurt? Ring 110, 119 or 120 first.",
            ),
        ),
        Category.COMPLAINT: (
            Named(zh="投诉", en="Complaint"),
            Named(zh="关于哪件事, 哪个单位? 希望怎样解决?", en="About what, and whom? What would put it right?"),
        ),
        Category.OTHER: (
            Named(zh="其他", en="Other"),
            Named(zh="需要什么帮助? 何时需要?", en="What help is needed, and by when?"),
        ),
    }
)
