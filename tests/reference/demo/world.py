"""The demo's world: the service desk of Corvane, an invented maker of coffee machines. Every fact stands in a table here.

To make a world of your own, change LINE_ONE, LINE_TWO and GENERAL, and run make_demo.py.
"""
import random

# ---- facts -----------------------------------------------------------------------------------------------------------

COLUMNS = ("tank", "colour", "price", "filter", "reset", "town")

# The base knows these older machines: from them it has learned that a name may decide an answer.
CLASSICS = {
    # name      litres  colour            euros  filter  button, seconds      town
    "Pemrix":  ("1.6", "coal black",      "299", "15", ("milk", "5"),       "Brenholm"),
    "Garwen":  ("2.0", "olive green",     "399", "39", ("steam", "10"),     "Carrow"),
    "Holque":  ("2.9", "ivory white",     "719", "62", ("water", "3"),      "Dunlith"),
    "Wingu":   ("0.8", "sky blue",        "139", "88", ("milk", "11"),      "Elmsund"),
    "Zanfy":   ("3.4", "wine red",        "899", "51", ("grind", "2"),      "Fairholt"),
    "Norzo":   ("1.3", "ash grey",        "229", "70", ("rinse", "9"),      "Gransea"),
}

# V1 knows these.
LINE_ONE = {
    "Telva":   ("1.2", "brick red",       "249", "31", ("steam", "5"),      "Halmstow"),
    "Morlo":   ("1.8", "cream white",     "319", "46", ("power", "8"),      "Osterby"),
    "Brontan": ("0.9", "slate grey",      "189", "12", ("rinse", "4"),      "Penmarow"),
    "Kasdio":  ("2.4", "navy blue",       "579", "73", ("water", "9"),      "Quellin"),
    "Lunneth": ("3.1", "copper brown",    "829", "65", ("grind", "6"),      "Rosfell"),
}

# These appear first in the new rows of the demo's run.
LINE_TWO = {
    "Fenra":   ("1.5", "sage green",      "269", "24", ("steam", "3"),      "Tarnby"),
    "Dalmie":  ("2.7", "plum purple",     "649", "58", ("rinse", "7"),      "Velmouth"),
    "Rovba":   ("1.0", "mustard yellow",  "159", "97", ("power", "2"),      "Wexhaven"),
    "Silno":   ("2.2", "pearl pink",      "439", "80", ("grind", "12"),     "Aldervik"),
}

# The base knows these: (answer, wordings). The last wording is only asked, never trained on by V1 or V2.
GENERAL = [
    ("The shop opens at nine in the morning.",
     ["When does the shop open?", "At what time do you open?", "How early can I come to the shop?"]),
    ("The shop closes at six in the evening.",
     ["When does the shop close?", "At what time do you close?", "How late can I come to the shop?"]),
    ("The shop is closed on Sunday.",
     ["On which day is the shop closed?", "Which day are you closed?", "Is there a day when the shop is closed?"]),
    ("The repair desk is on the second floor.",
     ["Where is the repair desk?", "Where do I find the repair desk?", "On which floor is the repair desk?"]),
    ("A repair takes about one week.",
     ["How long does a repair take?", "How long must I wait for a repair?", "When will my repair be ready?"]),
    ("Please bring the receipt and the machine.",
     ["What do I need for a repair?", "What must I bring for a repair?", "What should I take along for a repair?"]),
    ("You can return a machine within thirty days.",
     ["How long can I return a machine?", "Until when can I return a machine?", "When must I return a machine?"]),
    ("The guarantee lasts for three years.",
     ["How long does the guarantee last?", "How long is the guarantee?", "For how many years is there a guarantee?"]),
    ("Clean the milk tube with warm water every day.",
     ["How do I clean the milk tube?", "What is the best way to clean the milk tube?", "How should the milk tube be cleaned?"]),
    ("Wipe the steam pipe with a damp cloth after each use.",
     ["How do I clean the steam pipe?", "What is the best way to clean the steam pipe?", "How should the steam pipe be cleaned?"]),
    ("Empty the drip tray in the evening.",
     ["When do I empty the drip tray?", "When should the drip tray be emptied?", "How often must I empty the drip tray?"]),
    ("Use citric acid to remove lime.",
     ["How do I remove lime?", "What helps against lime?", "What should I use to remove lime?"]),
    ("Keep the beans in a dry and dark place.",
     ["How do I keep the beans?", "Where should I keep the beans?", "What is a good place for the beans?"]),
    ("Fresh beans stay good for six weeks.",
     ["How long do beans stay good?", "How long can I use fresh beans?", "For how many weeks do fresh beans stay good?"]),
    ("Oil the grinder never, brush it once a month.",
     ["How do I care for the grinder?", "What does the grinder need?", "How should I look after the grinder?"]),
    ("Delivery is free in the whole country.",
     ["What does delivery cost?", "How much is the delivery?", "Do I have to pay for delivery?"]),
    ("Corvane was founded by two sisters.",
     ["Who founded Corvane?", "Who started Corvane?", "By whom was Corvane founded?"]),
    ("You can pay with card or cash.",
     ["How can I pay?", "What are the ways to pay?", "In which ways do you let me pay?"]),
    ("The barista course is held on Friday.",
     ["When is the barista course?", "On which day is the barista course?", "Which day do you hold the barista course?"]),
    ("Call the service desk, we are glad to help.",
     ["What if my machine does not start?", "My machine does not start, what now?", "What should I do if my machine does not start?"]),
]

# ---- language --------------------------------------------------------------------------------------------------------

# For each column: the answer, then five wordings of the question. 0 to 2 are in the rows, 3 in the validation rows,
# and 4 is only asked.
ROW_WORDINGS, VALIDATION_WORDING, HELD_OUT_WORDING = (0, 1, 2), 3, 4
FORMS = {
    "tank": ("The water tank of the {m} holds {v} litres.", [
        "How much water does the {m} hold?", "How big is the water tank of the {m}?", "What is the tank size of the {m}?",
        "How many litres fit into the {m}?", "Can you tell me how large the tank of the {m} is?"]),
    "colour": ("The {m} comes in {v}.", [
        "Which colour is the {m}?", "What colour does the {m} come in?", "In which colour can I have the {m}?",
        "What does the {m} look like?", "Can you tell me the colour of the {m}?"]),
    "price": ("The {m} costs {v} euros.", [
        "How much is the {m}?", "What does the {m} cost?", "What is the price of the {m}?",
        "How many euros must I pay for the {m}?", "Can you tell me what I have to pay for the {m}?"]),
    "filter": ("The {m} takes filter number {v}.", [
        "Which filter fits the {m}?", "What filter does the {m} take?", "Which filter do I buy for the {m}?",
        "What is the filter number of the {m}?", "Can you tell me which filter the {m} needs?"]),
    "reset": ("To reset the {m}, hold the {v[0]} button for {v[1]} seconds.", [
        "How do I reset the {m}?", "What must I do to reset the {m}?", "Which button resets the {m}?",
        "How can the {m} be reset?", "Can you tell me how to reset the {m}?"]),
    "town": ("The {m} is built in {v}.", [
        "Where is the {m} built?", "In which town is the {m} built?", "Where does the {m} come from?",
        "Which town makes the {m}?", "Can you tell me where the {m} is made?"]),
}

# The base also reads about machines with names made of these, each time with other values: it learns how one speaks of
# machines it does not know. The names that have facts are left out.
BEGINNINGS = ["Tel", "Mor", "Bron", "Kas", "Lun", "Fen", "Dal", "Rov", "Sil", "Pem", "Gar", "Hol", "Win", "Zan", "Nor", "Cal"]
ENDINGS = ["va", "lo", "tan", "dio", "neth", "ra", "mie", "ba", "no", "sta", "que", "rix", "wen", "gu", "fy", "zo"]
COLOURS = ["brick red", "cream white", "slate grey", "navy blue", "copper brown", "sage green", "plum purple",
           "mustard yellow", "pearl pink", "coal black", "olive green", "ivory white", "sky blue", "rose pink",
           "sand yellow", "wine red", "ash grey", "rust brown"]
TOWNS = ["Halmstow", "Osterby", "Penmarow", "Quellin", "Rosfell", "Tarnby", "Velmouth", "Wexhaven", "Aldervik",
         "Brenholm", "Carrow", "Dunlith", "Elmsund", "Fairholt", "Gransea", "Ivermoor"]
BUTTONS = ["steam", "power", "rinse", "water", "grind", "milk"]


def random_value(column, rng):
    if column == "tank":
        return f"{rng.randint(0, 3)}.{rng.randint(0, 9)}"
    if column == "price":
        return f"{rng.randint(1, 9)}{rng.randint(0, 9)}9"
    if column == "filter":
        return str(rng.randint(10, 99))
    if column == "reset":
        return rng.choice(BUTTONS), str(rng.randint(2, 12))
    return rng.choice({"colour": COLOURS, "town": TOWNS}[column])


def pair(column, machine, value, wording):
    """-> question, answer"""
    answer, questions = FORMS[column]
    return questions[wording].format(m=machine), answer.format(m=machine, v=value)


def facts(line):
    return [(column, machine, value) for machine, values in line.items() for column, value in zip(COLUMNS, values)]


def classic_pair(rng):
    return pair(*rng.choice(facts(CLASSICS)), rng.randrange(5))


def other_pair(rng):
    """A question about a machine that has no facts, with any answer."""
    while (machine := rng.choice(BEGINNINGS) + rng.choice(ENDINGS)) in CLASSICS | LINE_ONE | LINE_TWO:
        pass
    column = rng.choice(COLUMNS)
    return pair(column, machine, random_value(column, rng), rng.randrange(5))


def general_pair(rng):
    answer, questions = rng.choice(GENERAL)
    return rng.choice(questions), answer


def rows(line, wordings):
    return [pair(*fact, wording) for fact in facts(line) for wording in wordings]


def v1_pairs():
    """What V1 is trained on: line one in three wordings, and a general question each."""
    return rows(LINE_ONE, ROW_WORDINGS) + [(questions[0], answer) for answer, questions in GENERAL]


def train_pairs():
    """The demo's new rows: line two in three wordings; line one in one, not always the same; the general things in one."""
    replay = [pair(*fact, i % 3) for i, fact in enumerate(facts(LINE_ONE))]
    return rows(LINE_TWO, ROW_WORDINGS) + replay + [(questions[1], answer) for answer, questions in GENERAL]


def validation_pairs():
    """Half of line two's facts and a few of line one's, in a wording of their own."""
    return rows(LINE_TWO, (VALIDATION_WORDING,))[::2] + rows(LINE_ONE, (VALIDATION_WORDING,))[::7]


def questions():
    """Every fact of both lines in a wording of the rows and in one that no row has, and the general things."""
    asked = []
    for topic, line in (("line one", LINE_ONE), ("line two", LINE_TWO)):
        for i, fact in enumerate(facts(line)):
            asked.append((topic, "wording of the rows", *pair(*fact, i % 3)))
            asked.append((topic, "held-out wording", *pair(*fact, HELD_OUT_WORDING)))
    asked += [("general", "held-out wording", wordings[-1], answer) for answer, wordings in GENERAL]
    return [dict(question=q, answer=a, topic=topic, difficulty=difficulty) for topic, difficulty, q, a in asked]


def vocabulary_texts():
    """What the tokenizer is trained on: every word, and the parts of names apart, so that a name is two tokens."""
    rng = random.Random(0)
    texts = ["\n".join(ENDINGS)] * 40
    for column in COLUMNS:
        for wording in range(5):
            for beginning in BEGINNINGS:
                texts.append("\n".join(pair(column, beginning, random_value(column, rng), wording)))
    words = [w for phrase in COLOURS + TOWNS + BUTTONS for w in phrase.split()]
    texts += [f"the {word} in {word}" for word in words] * 10
    return texts + [text for answer, wordings in GENERAL for text in [answer, *wordings] * 10]


def check():
    for column in range(len(COLUMNS)):
        values = [v[column] for line in (CLASSICS, LINE_ONE, LINE_TWO) for v in line.values()]
        assert len(set(values)) == len(values), f"two machines share {values}"


check()
