"""Background queries: what people might look for in any folder of photos, and strings that mean nothing.

Most folders hold few of these things, so the scores the texts get tell how an unrelated query scores there. The lists
are part of a calibration's identity: ``VERSION`` is raised when they change.
"""

from __future__ import annotations

VERSION = 1

_THINGS = """
a giraffe; an elephant; a zebra; a polar bear; a penguin; a kangaroo; a crocodile; a snake on a branch; a butterfly;
a spider in its web; a bee on a flower; a jellyfish; a shark under water; a school of fish; an octopus; a snail;
a frog; an owl; a parrot; a swan on a lake; a flock of geese; a rooster; a goat; a pig in the mud; a herd of cows;
a horse; sheep on a hill; a sleeping cat; a kitten; a puppy; a dog on a lead; a squirrel; a rabbit; a hedgehog; a fox;
a wolf; a deer in the forest; a camel; a monkey; a gorilla; a lion; a hamster; a turtle; a lizard; a mushroom;
a cactus; a palm tree; a pine forest; a field of sunflowers; a red rose; a bunch of tulips; autumn leaves;
a vegetable garden; a potted plant; an apple; a bowl of fruit; a slice of pizza; a hamburger and chips;
a plate of spaghetti; sushi; a birthday cake; ice cream; a loaf of bread; fried eggs; a salad; a bowl of soup;
a cup of tea; a glass of red wine; a pint of beer; cocktails at a bar; a picnic; a barbecue; a set dining table;
a kitchen; a sink full of dishes; an oven; a fridge; a microwave; a frying pan; a knife; a teapot; a wine bottle;
a living room; a leather sofa; an armchair; a wooden chair; a bookshelf; a bed; a wardrobe; a bathroom; a bathtub;
a toilet; a mirror; a window; a front door; a staircase; a lamp; a candle; a fireplace; a carpet; a clock on the wall;
an alarm clock; a vase; a television; a laptop; a computer screen; a keyboard; a printer; a mobile phone; a tablet;
headphones; a camera; a microphone; a guitar; a piano; a violin; a drum kit; a trumpet; an orchestra; a rock concert;
a dancer; a ballet; a theatre stage; a cinema; a chess board; playing cards; dice; a teddy bear; a doll; toy bricks;
a jigsaw puzzle; a balloon; a kite; a swing; a slide on a playground; a sandcastle; a swimming pool; a water slide;
a roller coaster; a carousel; a ferris wheel; fireworks; a bonfire; a tent; a caravan; a backpack; a suitcase;
an umbrella; a handbag; a hat; sunglasses; a wedding dress; a suit and tie; high heels; a pair of boots; a scarf;
a wrist watch; a necklace; a tattoo; a beard; a bald man; an old woman; a baby; a bride and groom;
a group of children; a classroom; a football team; a police officer; a firefighter; a soldier; a nurse; a doctor;
a chef; a farmer; a priest; a clown; a king on a throne; a portrait of a man; a selfie; a crowd of people; a queue;
a protest march; a meeting; two people kissing; a handshake; a person reading; a woman cooking; a man shaving;
a child crying; someone asleep; people dancing; a person running; a swimmer; a surfer on a wave; a skier;
a snowboarder; an ice skater; a tennis match; a basketball game; a golf course; a baseball player; a boxer;
a climber on a rock; a cyclist; a skateboarder; a gymnast; a rider on a horse; a fisherman; a rowing boat;
a sailing boat; a cruise ship; a submarine; a ferry; a harbour; a lighthouse; a beach at sunset; a waterfall; a river;
a frozen lake; a glacier; a desert; a cave; a volcano; a mountain with snow; a valley; a meadow; a swamp; a rainbow;
a thunderstorm; lightning; a tornado; fog; a starry sky; the moon; a galaxy; a rocket launch; an astronaut;
a satellite; an aeroplane; a helicopter; a hot air balloon; an airport; a railway station; a steam train; a tram;
an underground platform; a bus; a taxi; a racing car; a vintage car; a car park; a motorway; a lorry; a tractor;
an excavator; a crane; a motorcycle; a bicycle; a scooter; an ambulance; a traffic light; a road sign; a bridge;
a tunnel; a skyscraper; a castle; a cathedral; a mosque; a temple; a pagoda; a pyramid; a statue; a fountain;
a windmill; a barn; a village street; a market stall; a supermarket; a shop window; a restaurant; a hospital bed;
an office; a factory; a power plant; a solar panel; a construction site; a pile of bricks; a hammer; a screwdriver;
a drill; a ladder; a paintbrush; an oil painting; a pencil drawing; a cartoon; a comic strip; a world map;
a floor plan; a bar chart; a spreadsheet; a screenshot; a page of text; a handwritten letter; a receipt; a bank note;
coins; a passport; a barcode; a book cover; a newspaper; a poster; a flag; a logo; an x-ray; a microscope;
a test tube; a fingerprint; a brick wall; wood grain; a marble floor; graffiti; rust; a broken window; a rubbish bin;
an empty room; a black and white photo; a blurred picture; a view from above; a close-up of an eye;
a reflection in water; a shadow; rain on a window; snow falling; an aerial view of a city; a night street;
a dark corridor; a bright blue sky; the colour purple; freedom; justice; the economy; a contract; last Tuesday;
mathematics; a joke; loneliness; a good idea; music theory
"""

_NONSENSE = """
qwertz uiop; asdf; asdfgh jkl; hjkl hjkl; zxcv bnm; xyzzy; plugh; foobar baz; lorem ipsum dolor; florp; grumbix;
snorfle wug; blicket dax; zibble zabble; quxly morven; trelp; vonk vonk; mxyzptlk; brrzt; kjhgf; ghtyr eiwo;
oiuy trew; pqlamz nxhsy; wkd jfu; eeeeeeee; aaaa bbbb; xxxx; zzzzzz; lkj poi mnb; dfg; rtyu; nvbcx; yhn ujm;
qaz wsx edc; 83hd7; x9 q4 z7; 1234567890; 0x7f3a; 404; 99 88 77; a1b2c3; !!! ???; ...; ####; %&$; -; the of and;
of of of; which than; is are was; and but or; slithy toves; gimble wabe; tulgey; frabjous; borogove mimsy; klaatu;
ngngng; tktktk; jjjjj kkkkk; uhuhuh; bxqr; fwzp glk; hgfds; mnbvcxz lkjh; skdjfh sdkjf; oaisjd; weoiru; ztrp qoi;
ibbly obbly; drimple; chuzzle vant
"""


def _split(block: str) -> tuple[str, ...]:
    return tuple(text.strip() for text in " ".join(block.split()).split(";"))


THINGS: tuple[str, ...] = _split(_THINGS)
"""Everyday things, scenes, doings and a few abstractions."""

NONSENSE: tuple[str, ...] = _split(_NONSENSE)
"""Key mashing, invented words, numbers, signs, and small words without content."""
