"""What a picture may show beside the thing asked for: texts that a map is contrasted with."""

BACKGROUND = tuple(
    """
    sky cloud sun night rain snow ice water sea river lake beach sand rock mountain hill grass field forest tree leaf
    flower garden road street sidewalk bridge fence wall floor carpet window door roof stairs building house tower farm
    kitchen bathroom office restaurant shop shelf curtain lamp mirror box paper book food plate wheel pole sign wood
    stone metal glass shadow
    dish spoon fork knife apple cake pizza elephant bear lion rabbit insect butterfly frog snake shoe bag umbrella
    glasses watch truck skateboard guitar piano drum ball bat racket keyboard phone camera clock basket rope toy doll
    statue flag coin gun tool machine
    """.split()  # noqa: SIM905  # a hundred quoted words would be no easier to read
)
"""Common words: scenes and surfaces first, then things. The classes of VOC2007 and their parts are kept out, so that
measuring on it is no help for the choice of words."""
