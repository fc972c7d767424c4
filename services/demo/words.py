"""What the simulated handlers write, in Chinese and English."""

from shared.contracts.vocabulary import Category

C = Category
Pair = tuple[str, str]

ANSWERS: dict[Category, tuple[Pair, ...]] = {
    C.MEDICAL: (
        (
            "门诊医生已与您通话，明天上午有专人陪诊，号已挂好。",
            "A doctor has spoken with you; you have an appointment tomorrow.",
        ),
        (
            "已安排社区医生上门查看，处理后情况稳定，有变化随时来电。",
            "A community doctor came, and you are stable. Ring any time.",
        ),
        (
            "医院已为您留好位置，绿色通道直接进，不用排队。",
            "The hospital keeps a place for you; go straight in by the green lane.",
        ),
    ),
    C.MEDICINE: (
        ("药已配齐，由志愿者送到门口，请核对剂量后签收。", "Your medicine is at your door; please check the dose."),
        (
            "医生已线上续方，药房今天配送，够用一个月。",
            "The prescription was renewed online; a month's supply comes today.",
        ),
        (
            "本市缺货，已从邻县调来两盒，先够一周，后续再补。",
            "Out of stock here; two boxes came from the next county, enough for a week.",
        ),
    ),
    C.FOOD_SUPPLIES: (
        (
            "物资已送到门口：米、油、蛋和蔬菜，够三天，名单也补上了。",
            "Food for three days is at your door, and you are on the list now.",
        ),
        (
            "按您的特殊需要换了品种，负责人已加您微信，以后单独配。",
            "Your items were exchanged; we know your needs from now on.",
        ),
        (
            "保供点今晚补送，楼长会敲门三下放在门边。",
            "It is brought this evening; your building's volunteer knocks three times.",
        ),
    ),
    C.TRANSPORT: (
        (
            "车已派好，司机会提前十分钟打电话，请带好证明。",
            "A vehicle is arranged; the driver rings ten minutes before.",
        ),
        ("通行证已开好，电子版发到手机，卡口已知会。", "The pass is issued and on your phone; the checkpoint knows."),
    ),
    C.ELDERLY_CHILD_CARE: (
        (
            "照护员每天上午、傍晚各来一次，第一次已经去过。",
            "A carer comes every morning and evening, and was there already.",
        ),
        ("已有结对志愿者，电话留在床头，夜里也接。", "A volunteer is paired with you, and answers at night too."),
    ),
    C.MATERNITY: (
        (
            "产科已接诊评估，孕妇和孩子都平稳，下次检查已约。",
            "The maternity ward has seen you: both are well; the next check is booked.",
        ),
        ("助产士已视频指导，需要时救护车直接来接。", "A midwife has helped by video; an ambulance comes if needed."),
    ),
    C.QUARANTINE_POLICY: (
        (
            "按现行规定已核对您的情况，日期以通知书为准，社区已更正。",
            "Your case was checked; the date on your notice holds.",
        ),
        (
            "已向您逐条说明，证明由村委会开具，线上即可领取。",
            "The rules were explained; the village office issues the paper online.",
        ),
        ("健康码已复核转绿，若再异常请直接打这个电话。", "Your code was reviewed and is green again."),
    ),
    C.UTILITIES_PROPERTY: (
        ("维修师傅已到场修好，试了半小时没有再出问题。", "It is repaired, and was watched for half an hour."),
        ("配件已进小区，故障排除，物业主任留了电话。", "The part came in and the fault is gone."),
    ),
    C.MENTAL_HEALTH: (
        ("心理咨询师已与您长谈，约好后天同一时间再聊。", "A counsellor spoke with you, and rings again in two days."),
        (
            "已安排固定的咨询师陪您一段时间，夜里也有人接听。",
            "The same counsellor stays with you; somebody answers at night.",
        ),
    ),
    C.WORK_TRAVEL: (
        ("已联系用人单位说明规定，单位同意按出勤发放。", "Your employer was told the rule and will pay."),
        ("证明已开具盖章，电子件同样有效。", "The paper is issued and stamped; the electronic copy counts."),
    ),
    C.RESCUE: (
        ("救援人员已到场，人已安全，后续由医院照看。", "Rescuers were there; everybody is safe."),
        ("已破门并妥善处置，家属已到。", "The door was opened and all is well; the family is there."),
    ),
    C.COMPLAINT: (
        (
            "已核实，当事人员作出道歉，流程已改，结果张榜公布。",
            "It was checked; there was an apology, and the procedure has changed.",
        ),
        ("您反映的属实，差额今天退还，今后由专人监督。", "You were right; the difference is paid back today."),
    ),
    C.OTHER: (
        ("村里已有人跟您联系，事情办好了。", "Somebody of the village came to see you, and it is done."),
        ("谢谢您告诉我们，已登记并转给相关的人。", "Thank you; it is noted, and those concerned know."),
    ),
}
STORY_ANSWER = (
    "中心医院已为您约好26日上午的第二针，转运车8点半到楼下接，打完再送您回来，全程有人陪。",
    "Your second dose is booked for the morning of the 26th; a vehicle fetches you at half past eight.",
)
PROGRESS: tuple[Pair, ...] = (
    ("已联系到相关人员，正在路上。", "We have found the right person, who is on the way."),
    (
        "情况已核实，正在协调，两小时内给您准信。",
        "We have checked and are arranging it; you hear from us within two hours.",
    ),
    ("第一家没有货，正在问第二家。", "The first shop had none; we are asking the second."),
)
RETURN_NOTE: Pair = (
    "经了解，此事属于另一单位的职责，已电话告知对方。",
    "This is another office's work; we have told them.",
)


def say(pair: Pair, *, english: bool) -> str:
    """The sentence in the resident's language."""
    return pair[1] if english else pair[0]
