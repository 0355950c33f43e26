"""Queries of the match benchmark. None stands in the package's bank of background queries.

Of each kind there are two lists: one to fit the constants on, one to report on.
"""

from __future__ import annotations

# What is there. Query: words of which a photo's captions must hold one. A photo is relevant when at least two of its
# five captions do, not relevant when none does, and ignored when one does.
CONCEPTS_FIT = {
    "a dog": "dog dogs puppy puppies poodle terrier greyhound",
    "water": "water ocean lake river pool sea pond wave waves surf puddle",
    "snow": "snow snowy snowboarder skier sled ski skiing snowboard snowboarding",
    "a bicycle": "bike bicycle bikes bicycles biker bicyclist cyclist",
    "a soccer player": "soccer",
    "a skateboarder": "skateboard skateboarder skateboarding skateboarders",
    "climbing": "climbing climber climbs climb climbers",
    "a swimming pool": "pool",
    "grass": "grass grassy field lawn",
    "a crowd": "crowd crowded crowds",
    "a basketball game": "basketball",
    "a wall": "wall",
    "a boat": "boat boats canoe kayak kayaker raft",
    "sunglasses": "sunglasses",
    "a bird": "bird birds seagull duck pigeons",
    "a motorcycle": "motorcycle motorbike motocross motorcyclist dirtbike",
    "flowers": "flower flowers",
    "a man": "man men guy boy boys",
    "children playing": "child children kids boys girls toddler kid boy girl",
}
CONCEPTS_REPORT = {
    "a woman": "woman women lady girl girls female",
    "people": "people man men woman women person boy girl crowd group boys girls child children family",
    "a ball": "ball football basketball soccer baseball volleyball tennis",
    "a beach": "beach sand shore sandy",
    "a street": "street sidewalk road",
    "a tennis player": "tennis",
    "mountains": "mountain mountains mountainous",
    "the sea": "ocean sea wave waves beach surf surfer surfing surfboard",
    "forest": "woods forest wooded trees tree",
    "a frisbee": "frisbee",
    "a surfer": "surfer surfing surfboard surfs surf surfers",
    "a baby": "baby infant toddler",
    "a guitar": "guitar guitars guitarist",
    "a baseball player": "baseball",
    "a snowboarder": "snowboarder snowboard snowboarding snowboards",
    "a playground": "playground slide swing swings swinging",
    "a car": "car cars race racing truck vehicle",
    "jumping": "jump jumps jumping leaping leaps leap airborne midair",
    "a bed": "bed couch sofa",
    "a hat": "hat cap hats helmet helmets",
    "a skier": "skier ski skiing skis skiers",
    "a fountain": "fountain fountains",
    "swimming": "swim swimming swims swimmer pool",
    "a child": "child children kids toddler kid boy girl baby boys girls",
}

# What is not there: no caption of Flickr8k's development part speaks of it.
ABSENT_FIT = """
a chandelier; a stethoscope; a walrus; an anteater; a hippopotamus; a rhinoceros; a peacock; a flamingo; a scorpion;
a starfish; coral; a pineapple; a pile of lemons; broccoli; mashed potatoes; a burrito; a jar of honey; popcorn;
chopsticks; an espresso machine; a toaster; a washing machine; a vacuum cleaner; an iron; a harp; an accordion;
an organ in a church; a typewriter; a calculator; a pocket watch; a hard disk; a mousetrap; a padlock; a chainsaw;
an anvil; a screw; a pair of pliers; a wheelbarrow; a lawn mower; a combine harvester; a missile; an aircraft carrier;
a gondola in Venice; a space shuttle; a monorail; the Eiffel tower; an igloo; a totem pole; a dome of a mosque;
a stupa; a Greek temple; a coral reef; an iceberg; a geyser; a bamboo forest; a vineyard; a rice paddy; mistletoe;
an orchid; a bonsai tree; a pumpkin; corn on the cob; an artichoke; a wedding ring; a lipstick; a perfume bottle;
a hair dryer; a toothbrush; a syringe; a pill bottle; a wheelchair ramp sign; a tax form; a chemical formula;
a circuit board; a crossword puzzle; a tarot card; an hourglass; a globe; a compass; a court of law; a prison cell;
a morgue; a mummy; a dragon; a unicorn; a mermaid; a spaceship; a hovercraft; a nuclear explosion; a solar eclipse;
the planet Saturn; a bacterium; a DNA helix
"""
ABSENT_REPORT = """
a koala; a panda; a moose; a lobster; a crab; a whale; a toucan; an ostrich; a bat in a cave; a beaver; a skunk;
a raccoon; a hyena; a leopard; a cheetah; a tarantula; a centipede; a ladybird; a dragonfly; a seahorse; a tadpole;
an iguana; a rattlesnake; a banana; a bunch of grapes; a cauliflower; a bowl of rice; pancakes; a croissant; a taco;
a lasagna; cheese; an omelette; a teaspoon; a corkscrew; a coffee grinder; a dishwasher; a radiator;
a grandfather clock; a chest of drawers; a four-poster bed; a cradle; a sauna; a shower curtain; a washbasin;
a light bulb; a power socket; a USB stick; a floppy disk; a gramophone; a xylophone; a banjo; a tuba; a wind turbine;
an oil rig; a cable car; a tugboat; a fire engine; a hearse; a bulldozer; a forklift; a zeppelin; a biplane;
a jumbo jet in the clouds; a radio telescope; a planet; a comet; a nebula; an aurora; lava; a sandstorm; a mangrove;
a stalactite; an oasis with camels; a medieval castle; a cathedral nave; a minaret; a pagoda in Japan;
the Statue of Liberty; the Taj Mahal; a lighthouse at night; an opera house; a casino; a bank vault; a laboratory;
an operating theatre; a dentist; a pharmacy; a library full of books; a post stamp; a bus timetable; a weather map;
a pie chart; source code; a business card; a driving licence; a boarding pass; a menu; a crossbow; a suit of armour;
a cannon; a revolver; a chess king; a roulette wheel; a billiard table; a fencing match; curling; a javelin thrower;
a dartboard; knitting; pottery; stained glass; a mosaic; hieroglyphs; sheet music; an ultrasound picture; a skeleton;
a brain
"""

NONSENSE_REPORT = """
asdkjh qwe; asdf jkl; lkjhg fdsa; qpwo eiru; tyghbn; xcvb; poiuy; mnb vcx; wertz; dkfjgh; slkdjf; zxczxc; qweqwe;
fghfgh; hjklö; rfvtgb; yhnujm ik; plokij; vbnvbn; wsxedc; blorf; glimpok; wugs zorp; fendle marb; trizzock; splunge;
quandifer; snarg; yibber; mofted plim; krell zand; dax blick; toma fep; voopie; 7x7x7; 42; 31415926; 2b4f6; zz99;
id=0; q1w2e3r4; 00000; @@@@; ~~~; ?!?!; (((; <br>; the the the; if then but; of to in; very; than which; or; hhhhhhhh;
ooooo; bbbbb ccccc; jjj; wvwvwv; lllll mmmmm; xqzj vkpt; ptk rsl bmn; gnrl fjdk; kwyjibo; ahdjskal; uiouiouio; eoaieu;
ffnord; tlhIngan; mumble grf; hmpf
"""


def split(block: str) -> tuple[str, ...]:
    """Return the entries of one of the lists above."""
    return tuple(text.strip() for text in " ".join(block.split()).split(";"))
