"""The closed lists of English that the reading of values and conditions leans on."""

from __future__ import annotations

# Where a phrase that names a thing ends.
PHRASE_ENDS = frozenset(
    """
    and or but for with without in on at to of by from that which who is are under over below above around between
    please out so as when while i we my our not no than the a an it do does did you have has had can should
    they he she if because since up down off into rated certified
""".split()
)
# Things that are named after what they are for: leather conditioner is not of leather.
DONE_TO = frozenset(
    """
    cleaner cleaning polish conditioner glue wash care protector brush detergent dye repair wax stain remover cutter
    needle punch primer sealer sealant adhesive shaver lover
""".split()
)
# Two words for one thing, which is not so much of that colour or stuff as of a kind.
ONE_THING = frozenset(
    " ".join(pair.split())
    for pair in """
    white noise, white wine, white tea, white rice, white chocolate, white board, white vinegar, white pepper, red wine,
    red tea, red pepper, red meat, red eye, red carpet, red light, brown rice, brown sugar, brown bread, green tea,
    green bean, green screen, green curry, green card, green thumb, black tea, black bean, black pepper, black light,
    black magic, black friday, black eye, blue light, blue cheese, blue jay, orange juice, orange juicer, orange tree,
    orange oil, orange marmalade, olive oil, olive tree, olive bread, gold fish, silver lining, silver screen,
    purple heart, rose water,
    pink eye, pink noise, yellow jacket, yellow pages, navy bean, cream cheese, cream soda, tan line, steel wool,
    cotton candy, rubber band, paper clip, paper trail, glass rack, glass holder, iron supplement, wood chip, wool wash,
    silk worm, tin foil, tin opener, lemon squeezer, lemon zester, apple corer, chicken wire, chicken coop, fish tank,
    sage seed, mint condition, stone fruit, copper peptide, charcoal grill, linen closet,
    winter squash, silver wedding, silver anniversary, gold medal, navy veteran, coral reef, ivory tower
""".split(",")
)
ADJECTIVE_ENDINGS = ("less", "free", "ed")
# Words that only tied a constraint to the rest; left over at an end of the text they say nothing.
DANGLING = frozenset(
    """
    and but for with in that which under or of at by is are be costs cost costing priced price please the a an
    needs need has have having made
""".split()
)
