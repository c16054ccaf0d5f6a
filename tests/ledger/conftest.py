"""How hard the property tests try: `HYPOTHESIS_PROFILE=thorough` for a night, `ci` otherwise.

Examples are random, so that every run looks elsewhere; a failure prints the seed or blob that repeats it.
"""

import os

from hypothesis import HealthCheck, Phase, settings

_WITHOUT_EXPLAINING = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)
settings.register_profile(
    "ci",
    deadline=None,
    print_blob=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=_WITHOUT_EXPLAINING,
)
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
