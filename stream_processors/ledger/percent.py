"""Percent of the goal, for people; milestones never look at it."""


def percent_of_goal(total_minor: int, goal_minor: int) -> int:
    """Return the percentage of the goal: floored below 100, rounded half up from 100 on.

    So 100 is never shown early, and 17 230 of 15 000 (114.87 %) is 115. Both amounts are minor units of one currency;
    the goal is above 0.
    """
    if total_minor < goal_minor:
        return total_minor * 100 // goal_minor
    return (total_minor * 200 + goal_minor) // (2 * goal_minor)
