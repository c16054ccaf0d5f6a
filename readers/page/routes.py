"""The pages: an index of campaigns, one page for each, and what they are made with."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template.config import TemplateConfig

from readers.answers import CampaignSummary
from readers.live.following import Following
from readers.page.languages import LANGUAGES, Language, choose_language
from readers.page.scene import scene
from readers.parameters import CampaignCursor, CampaignId, LastEventId, to_the_end
from readers.problems import ERRORS, problem_of
from readers.queries import read_campaigns
from readers.settings import PAGE_SIZE_DEFAULT
from readers.snapshots import Snapshots

_HERE: Final = Path(__file__).parent
_MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# Nothing from elsewhere, nothing inline, in nobody's frame (CSP level 3).
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_GUARDED: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

LanguageCode = Annotated[str | None, QueryParameter(pattern=to_the_end(f"^({'|'.join(LANGUAGES)})$"), required=False)]


def _language(request: Request[Any, Any, Any], asked: str | None) -> Language:
    return choose_language(asked, request.headers.get("accept-language", ""))


def _page(name: str, language: Language, *, status_code: int = 200, **context: Any) -> Template:
    return Template(
        template_name=f"{name}.html",
        context={"language": language, "words": language.words, "languages": LANGUAGES.values(), **context},
        headers={
            **_GUARDED,
            "Content-Security-Policy": _POLICY,
            "Content-Language": language.code,
            "Vary": "Accept-Language",
        },
        status_code=status_code,
    )


@get("/")
async def show_campaigns(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Snapshots],
    cursor: CampaignCursor = None,
    lang: LanguageCode = None,
) -> Template:
    language = _language(request, lang)
    found = await pages.read(partial(read_campaigns, status=None, after_id=cursor, limit=PAGE_SIZE_DEFAULT))
    rows = [_row(campaign, language) for campaign in found.campaigns]
    return _page("campaigns", language, rows=rows, next_cursor=found.next_cursor)


def _row(campaign: CampaignSummary, language: Language) -> dict[str, str]:
    totals = campaign.totals
    return {
        "campaign_id": campaign.campaign_id,
        "title": campaign.title,
        "status": campaign.status,
        "pledged": language.money(totals.pledged_minor, totals.currency),
        "goal": language.money(totals.goal_minor, totals.currency),
        "percent": language.percent(totals.percent),
        "backers": language.number(totals.backers),
    }


@get("/{campaign_id:str}")
async def show_campaign(
    campaign_id: CampaignId,
    request: Request[Any, Any, Any],
    following: NamedDependency[Following],
    last_event_id: LastEventId = None,
    lang: LanguageCode = None,
) -> Template:
    language = _language(request, lang)
    campaign = await following.whole(campaign_id, last_event_id)
    return _page("campaign", language, scene=scene(campaign, language, datetime.now(UTC)))


def _say_problem(request: Request[Any, Any, Any], error: Exception) -> Template:
    """Answer with a page for people, under the status that the API would answer with."""
    problem = problem_of(error)
    code = request.query_params.get("lang")
    language = _language(request, code if code in LANGUAGES else None)
    answer = _page(
        "problem", language, status_code=problem.status_code, status=problem.status_code, detail=problem.detail
    )
    answer.headers.update(problem.headers or {})
    return answer


def page_routes(snapshots: Snapshots, following: Following) -> Router:
    """Return everything under `/campaigns`."""

    async def provide_pages() -> Snapshots:
        return snapshots

    async def provide_following() -> Following:
        return following

    return Router(
        path="/campaigns",
        route_handlers=[show_campaigns, show_campaign],
        dependencies={"pages": Provide(provide_pages), "following": Provide(provide_following)},
        exception_handlers=dict.fromkeys(ERRORS, _say_problem),
        include_in_schema=False,
    )


def asset_routes() -> Router:
    """Return what the pages load, under `/assets`, read once."""
    assets = {path.name: (path.read_bytes(), _MEDIA_TYPES[path.suffix]) for path in (_HERE / "assets").iterdir()}

    @get("/{name:str}")
    async def send_asset(name: FromPath[str]) -> Response[bytes]:
        if name not in assets:
            raise NotFoundException
        content, media_type = assets[name]
        return Response(content, media_type=f"{media_type}; charset=utf-8", headers=_GUARDED)

    return Router(path="/assets", route_handlers=[send_asset], include_in_schema=False)


def templates() -> TemplateConfig[JinjaTemplateEngine]:
    """Return the template engine: it escapes everything, and a name that is not there is an error."""
    engine = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return TemplateConfig(instance=JinjaTemplateEngine.from_environment(engine))
