"""The commands of `cercles`, put together. What a command needs is imported when it runs, so that `--help` is quick."""

import typer

from cercles.commands.audit import audit
from cercles.commands.database import database_commands
from cercles.commands.dead_letters import dead_letter_commands
from cercles.commands.demo import demo
from cercles.commands.processes import add_process_commands
from cercles.commands.rebuild import rebuild
from cercles.commands.reconcile import reconcile
from cercles.commands.send import send
from cercles.commands.simulate import simulate
from cercles.commands.topics import topics
from cercles.commands.up import up

ON_YOUR_MACHINE = "On your machine"
PROCESSES = "Processes (settings by environment: see docs/reference/settings.md)"
OPERATIONS = "Operations"
PROOF = "Proof and repair (docs/runbook-proof.md)"

app = typer.Typer(
    name="cercles",
    help="Cercles keeps exact, live totals of crowdfunding campaigns, circle by circle: friends, friends of friends, "
    "the public. Begin with `cercles demo`.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals may hold secrets
)
app.command(rich_help_panel=ON_YOUR_MACHINE)(demo)
app.command(rich_help_panel=ON_YOUR_MACHINE)(up)
app.command(rich_help_panel=ON_YOUR_MACHINE)(send)
app.command(rich_help_panel=ON_YOUR_MACHINE)(simulate)
add_process_commands(app, PROCESSES)
app.command(rich_help_panel=OPERATIONS)(topics)
app.add_typer(database_commands, rich_help_panel=OPERATIONS)
app.command(rich_help_panel=PROOF)(audit)
app.command(rich_help_panel=PROOF)(rebuild)
app.add_typer(dead_letter_commands, rich_help_panel=PROOF)
app.command(rich_help_panel=PROOF)(reconcile)
