"""The words of the page, in each of its languages. A phrase that counts has a form for one and one for more."""

from dataclasses import dataclass
from typing import Final

from schemas.fields import AnyCircle
from schemas.updates import CampaignStatus


@dataclass(frozen=True, slots=True)
class Counted:
    """A phrase with `{number}` in it: `one` for what the language takes as one, `more` for anything else."""

    one: str
    more: str


@dataclass(frozen=True, slots=True)
class Words:
    """Every phrase of the page. What stands in braces is filled in."""

    own_name: str
    campaigns: str
    no_campaigns: str
    more_campaigns: str
    title: str
    status: str
    progress: str
    skip: str
    other_language: str

    statuses: dict[CampaignStatus, str]
    settling: str
    closes: str
    closed: str
    days_left: Counted
    last_day: str
    at: str

    amount_of_goal: str
    announced: str
    pledged: str
    collected: str
    pledged_note: str
    collected_note: str
    backers: Counted
    backers_title: str
    late: str
    late_note: str
    over_returned: str
    over_returned_note: str
    goal: str
    goal_to_go: str
    goal_passed_by: str
    stretch_goals: str
    stretch_goal: str
    stretch_to_go: str
    stretch_reached: str
    progress_described: str

    circles_title: str
    circles_lead: str
    circle: str
    circles: dict[AnyCircle, str]
    part: str
    shared_backers: str
    links: str
    visits: str
    conversion: str
    conversion_note: str

    days_title: str
    days_lead: str
    days_lead_collected: str
    days_described: str
    days_table: str
    day: str
    each_bar: str
    no_pledge: str

    milestones_title: str
    no_milestones: str
    earlier_milestones: Counted
    milestone_passed: str
    goal_reached: str
    goal_reached_again: str
    goal_lost: str
    above_goal: str
    overfunded: str
    stretch_goal_reached: str
    circle_opened_early: str
    campaign_succeeded: str
    campaign_failed: str
    with_total: str

    as_of: str
    as_of_nothing: str
    incomplete: str
    gap: str
    live: str
    connecting: str
    cut_off: str
    without_script: str

    fault_title: str
    not_found: str
    come_back: str
    back: str


EN: Final = Words(
    own_name="English",
    campaigns="Campaigns",
    no_campaigns="There is no campaign yet.",
    more_campaigns="More campaigns",
    title="Campaign",
    status="Status",
    progress="Progress",
    skip="Skip to the campaign",
    other_language="Language",
    statuses={"open": "Open", "succeeded": "Succeeded", "failed": "Failed"},
    settling="Being settled",
    closes="Closes on {day}",
    closed="Closed on {day}",
    days_left=Counted("{number} day left", "{number} days left"),
    last_day="last day",
    at="{day} at {time}",
    amount_of_goal="of {goal}",
    announced="{total} of {goal}, {percent}. {backers}.",
    pledged="Pledged",
    collected="Collected",
    pledged_note="promised by backers",
    collected_note="already paid",
    backers=Counted("{number} backer", "{number} backers"),
    backers_title="Backers",
    late="Late",
    late_note="pledged after the close, not counted",
    over_returned="Returned beyond payment",
    over_returned_note="refunds and disputes above what was paid",
    goal="Goal",
    goal_to_go="{amount} to go",
    goal_passed_by="{amount} above the goal",
    stretch_goals="Stretch goals",
    stretch_goal="{title}: {amount}, {state}",
    stretch_to_go="{amount} to go",
    stretch_reached="reached",
    progress_described="{total} of {goal}: {percent} of the goal. {pledged} pledged, {collected} collected.",
    circles_title="Circle by circle",
    circles_lead="A campaign is carried from friends to friends of friends, and on to the public.",
    circle="Circle",
    circles={
        "friends": "Friends",
        "friends_of_friends": "Friends of friends",
        "public": "Public",
        "unattributed": "Unknown origin",
    },
    part="Part",
    shared_backers="A backer in two circles counts in each of them.",
    links="Links",
    visits="Visits",
    conversion="Per 100 visits",
    conversion_note="Pledges for 100 visits to share links, by people: programs and pages fetched ahead are left out.",
    days_title="Day by day",
    days_lead="What was pledged on each day, by circle.",
    days_lead_collected="What was collected of each day's pledges, by circle.",
    days_described="Bars from {first} to {last}. The best day is {best} with {amount}. A table of all days follows.",
    days_table="Show the days as a table",
    day="Day",
    each_bar="Each bar stands for {number} days.",
    no_pledge="Nothing has been pledged yet.",
    milestones_title="Milestones",
    no_milestones="None has been passed yet.",
    earlier_milestones=Counted("and {number} before", "and {number} before"),
    milestone_passed="{percent} of the goal",
    goal_reached="Goal reached",
    goal_reached_again="Goal reached again",
    goal_lost="Goal lost",
    above_goal="Above the goal",
    overfunded="{percent} of the goal",
    stretch_goal_reached="Stretch goal reached: {title}",
    circle_opened_early="“{circle}” opened before “{narrower}” had carried {percent} of the goal",
    campaign_succeeded="The campaign has succeeded",
    campaign_failed="The campaign has failed",
    with_total="with {amount}",
    as_of="As of the last event, on {moment} (time of {zone}), position {position}.",
    as_of_nothing="As of position {position}: nothing has been pledged yet.",
    incomplete="A large change is being stored: more is to come in a moment.",
    gap="Something is missing since position {position}: the figures stay as they were before, until it is repaired.",
    live="Live",
    connecting="Connecting …",
    cut_off="Connection lost at {time}. The figures may be old; trying again …",
    without_script="Without JavaScript this page does not move by itself: load it again for newer figures.",
    fault_title="This page can't be shown",
    not_found="There is no such campaign.",
    come_back="The figures can't be read just now. Come back in a moment.",
    back="All campaigns",
)

FR: Final = Words(
    own_name="Français",
    campaigns="Campagnes",
    no_campaigns="Il n’y a pas encore de campagne.",
    more_campaigns="Autres campagnes",
    title="Campagne",
    status="État",
    progress="Avancement",
    skip="Aller à la campagne",
    other_language="Langue",
    statuses={"open": "En cours", "succeeded": "Réussie", "failed": "Non aboutie"},
    settling="En clôture",
    closes="Se termine le {day}",
    closed="Terminée le {day}",
    days_left=Counted("encore {number} jour", "encore {number} jours"),
    last_day="dernier jour",
    at="{day} à {time}",
    amount_of_goal="sur {goal}",
    announced="{total} sur {goal}, {percent}. {backers}.",
    pledged="Promis",
    collected="Encaissé",
    pledged_note="annoncé par les contributeurs",
    collected_note="déjà payé",
    backers=Counted("{number} contributeur", "{number} contributeurs"),
    backers_title="Contributeurs",
    late="Hors délai",
    late_note="promis après la fin, non compté",
    over_returned="Rendu au-delà du payé",
    over_returned_note="remboursements et litiges dépassant le paiement",
    goal="Objectif",
    goal_to_go="encore {amount}",
    goal_passed_by="{amount} au-dessus de l’objectif",
    stretch_goals="Paliers",
    stretch_goal="{title} : {amount}, {state}",
    stretch_to_go="encore {amount}",
    stretch_reached="atteint",
    progress_described="{total} sur {goal} : {percent} de l’objectif. {pledged} promis, {collected} encaissés.",
    circles_title="Cercle par cercle",
    circles_lead="Une campagne passe des proches aux amis d’amis, puis au grand public.",
    circle="Cercle",
    circles={
        "friends": "Proches",
        "friends_of_friends": "Amis d’amis",
        "public": "Grand public",
        "unattributed": "Origine inconnue",
    },
    part="Part",
    shared_backers="Un contributeur présent dans deux cercles compte dans chacun.",
    links="Liens",
    visits="Visites",
    conversion="Pour 100 visites",
    conversion_note="Promesses pour 100 visites des liens partagés : sans les robots ni les pages chargées d’avance.",
    days_title="Jour par jour",
    days_lead="Ce qui a été promis chaque jour, par cercle.",
    days_lead_collected="Ce qui a été encaissé des promesses de chaque jour, par cercle.",
    days_described="Barres du {first} au {last}. Meilleur jour : {best} avec {amount}. Un tableau des jours suit.",
    days_table="Voir les jours en tableau",
    day="Jour",
    each_bar="Chaque barre regroupe {number} jours.",
    no_pledge="Rien n’a encore été promis.",
    milestones_title="Étapes franchies",
    no_milestones="Aucune étape n’a encore été franchie.",
    earlier_milestones=Counted("et {number} auparavant", "et {number} auparavant"),
    milestone_passed="{percent} de l’objectif",
    goal_reached="Objectif atteint",
    goal_reached_again="Objectif de nouveau atteint",
    goal_lost="Objectif perdu",
    above_goal="Objectif dépassé",
    overfunded="{percent} de l’objectif",
    stretch_goal_reached="Palier atteint : {title}",
    circle_opened_early="« {circle} » ouvert avant que « {narrower} » n’ait porté {percent} de l’objectif",
    campaign_succeeded="La campagne est réussie",
    campaign_failed="La campagne n’a pas abouti",
    with_total="avec {amount}",
    as_of="Chiffres au dernier événement, le {moment} (heure de {zone}), position {position}.",
    as_of_nothing="Chiffres à la position {position} : rien n’a encore été promis.",
    incomplete="Un grand changement est en cours d’enregistrement : la suite arrive dans un instant.",
    gap="Il manque quelque chose depuis la position {position} : les chiffres restent ceux d’avant la réparation.",
    live="En direct",
    connecting="Connexion …",
    cut_off="Connexion perdue à {time}. Les chiffres peuvent être anciens ; nouvel essai …",
    without_script="Sans JavaScript, cette page ne bouge pas seule : rechargez-la pour des chiffres plus récents.",
    fault_title="Cette page ne peut pas être affichée",
    not_found="Cette campagne n’existe pas.",
    come_back="Les chiffres ne peuvent pas être lus pour le moment. Revenez dans un instant.",
    back="Toutes les campagnes",
)
