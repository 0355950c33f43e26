"""Are queries in languages that the shipped model does not read noticed? ``python -m benchmarks.languages --data DIR``.

The foreign queries stand below, written after the rules of ``wordsight.encoders.english`` were settled and not changed
since; so do the short English ones. False alarms are counted on these and on the captions of Flickr8k dev.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from benchmarks import report
from benchmarks.report import Bar, Result
from wordsight.encoders.english import looks_foreign

QUERIES = {
    "German": "Pferd auf der Weide|Kinder im Schwimmbad|Regenbogen|ein Glas Bier|Weihnachtsbaum mit Lichtern|Hochzeit|"
    "Schnee auf den Dächern|drei Enten im Teich|Bahnhof bei Nacht|Opa liest Zeitung|Äpfel in einem Korb|Flugzeug",
    "French": "cheval dans un pré|enfants à la piscine|arc-en-ciel|un verre de bière|sapin de Noël|mariage|"
    "neige sur les toits|trois canards dans l'étang|gare la nuit|papi lit le journal|pommes dans un panier|avion",
    "Spanish": "caballo en el prado|niños en la piscina|arcoíris|un vaso de cerveza|árbol de Navidad|boda|"
    "nieve en los tejados|tres patos en el estanque|estación de noche|abuelo leyendo el periódico|"
    "manzanas en una cesta|avión",
    "Italian": "cavallo nel prato|bambini in piscina|arcobaleno|un bicchiere di birra|albero di Natale|matrimonio|"
    "neve sui tetti|tre anatre nello stagno|stazione di notte|nonno che legge il giornale|mele in un cesto|aereo",
    "Portuguese": "cavalo no pasto|crianças na piscina|arco-íris|um copo de cerveja|árvore de Natal|casamento|"
    "neve nos telhados|três patos no lago|estação à noite|avô lendo o jornal|maçãs em uma cesta|avião",
    "Dutch": "paard in de wei|kinderen in het zwembad|regenboog|een glas bier|kerstboom met lichtjes|bruiloft|"
    "sneeuw op de daken|drie eenden in de vijver|station bij nacht|opa leest de krant|appels in een mand|vliegtuig",
    "Polish": "koń na łące|dzieci na basenie|tęcza|szklanka piwa|choinka|wesele|śnieg na dachach|samolot",
    "Turkish": "çayırda bir at|havuzda çocuklar|gökkuşağı|bir bardak bira|düğün|çatılarda kar|uçak|bisiklet",  # noqa: RUF001
    "Russian": "лошадь на лугу|дети в бассейне|радуга|стакан пива|новогодняя ёлка|свадьба|снег на крышах|самолёт",
    "Greek": "άλογο στο λιβάδι|παιδιά στην πισίνα|ουράνιο τόξο|ένα ποτήρι μπίρα|γάμος|αεροπλάνο",
    "Arabic": "حصان في المرج|أطفال في المسبح|قوس قزح|شجرة عيد الميلاد|طائرة",
    "Hindi": "मैदान में घोड़ा|बच्चे तालाब में|इंद्रधनुष|शादी|हवाई जहाज",
    "Chinese": "草地上的马|游泳池里的孩子|彩虹|一杯啤酒|圣诞树|婚礼|屋顶上的雪|飞机",
    "Japanese": "草原の馬|プールの子供たち|虹|クリスマスツリー|結婚式|飛行機",
    "Korean": "초원의 말|수영장의 아이들|무지개|크리스마스 트리|결혼식|비행기",
}
ENGLISH = (
    "horse|kids at the pool|rainbow|pint of beer|xmas tree|wedding|snowy roofs|ducks|train station at night|grandpa|"
    "apples in a basket|airplane|golden gate bridge|Oktoberfest|taj mahal|my cat Minka|barbecue|spaghetti carbonara|"
    "quokka|zumba class|motorhome|Hawaii|sumo wrestler|tuk tuk|jack-o'-lantern|ukulele|origami crane|ferris wheel|"
    "screenshots|receipts|whiteboard notes|boarding pass|blurry|b&w portrait|macro of a dragonfly|northern lights|"
    "Christmas 2014|mum and dad|goldendoodle|croissants"
)


def main() -> None:
    """Count, print and write ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=report.ROOT.parent / "shared/data")
    parser.add_argument("--out", type=Path, default=report.ROOT / "benchmarks/results/languages.json")
    given = parser.parse_args()
    about = report.machine()
    result = Result("languages", "Queries in other languages than English")
    missed: dict[str, list[str]] = {}
    total = 0
    for language, bank in QUERIES.items():
        queries = bank.split("|")
        missed[language] = [query for query in queries if not looks_foreign(query)[0]]
        total += len(queries)
        result.add(f"{language}, noticed of {len(queries)}", len(queries) - len(missed[language]))
    count = sum(map(len, missed.values()))
    result.add(f"all languages, noticed of {total}", 100 * (1 - count / total), "%", Bar(">=", 90))
    with (given.data / "flickr8k/captions.csv").open(newline="", encoding="utf-8") as file:
        captions = [row["caption"] for row in csv.DictReader(file) if row["split"] == "dev"]
    english = {"captions of Flickr8k dev": captions, "short English queries": ENGLISH.split("|")}
    for what, texts in english.items():
        wrong = [text for text in texts if looks_foreign(text)[0]]
        result.raw[what] = wrong
        bar = Bar("<=", 1) if what.startswith("captions") else None  # the short ones are rare words on purpose
        result.add(f"false alarms, {len(texts):,} {what}", 100 * len(wrong) / len(texts), "%", bar)
    result.raw["missed"] = missed
    report.write_json(result, given.out, command="python -m benchmarks.languages --data DIR", about=about)


if __name__ == "__main__":
    main()
