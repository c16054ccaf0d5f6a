// Keeps the page of a campaign live: the stream says that something has changed, the page is asked for again, and its
// parts that differ are replaced. What the page says, in which language and how, is the server's business alone.

"use strict";

{
  const SILENCE_MS_MAX = 25_000; // the server sends a heartbeat every 20 s at least
  const COME_BACK_MS = 2_000;
  const OLD_MS = 10_000; // a stream that ends at that age has had its time: it is followed by another, and nobody is told
  const BETWEEN_READS_MS = 1_000; // a busy campaign changes more often than anybody can read

  const campaign = document.getElementById("campaign");
  const connection = document.getElementById("connection");
  let source = null;
  let openedAt = Infinity;
  let alarm = 0;
  let newest = campaign.dataset.eventId;
  let reading = false;

  const show = (state) => {
    if (connection.dataset.state === state) return;
    connection.dataset.state = state;
    for (const words of connection.querySelectorAll("[data-for]")) {
      words.hidden = words.dataset.for !== state;
      if (words.dataset.words && !words.hidden) {
        const time = new Date().toLocaleTimeString(document.documentElement.lang);
        words.textContent = words.dataset.words.replace("{time}", time);
      }
    }
  };

  const replace = (fresh) => {
    document.title = fresh.title;
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other.className !== part.className) part.className = other.className;
      if (other.innerHTML !== part.innerHTML) part.replaceChildren(...other.childNodes);
    }
    campaign.dataset.eventId = fresh.getElementById("campaign").dataset.eventId;
  };

  const read = async () => {
    if (reading) return;
    reading = true;
    try {
      while (campaign.dataset.eventId !== newest) {
        const heard = newest;
        const answer = await fetch(location.href, { cache: "no-cache", headers: { "Last-Event-ID": heard } });
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
        await new Promise((resolve) => setTimeout(resolve, BETWEEN_READS_MS));
        // What was read may be newer than what was heard; the stream says so in a moment.
        if (newest === heard) break;
      }
    } catch (fault) {
      console.warn("the page could not be read again", fault);
      lose();
    } finally {
      reading = false;
    }
  };

  const lose = () => {
    show("cut");
    source?.close();
    clearTimeout(alarm);
    alarm = setTimeout(follow, COME_BACK_MS);
  };

  const hear = () => {
    clearTimeout(alarm);
    alarm = setTimeout(lose, SILENCE_MS_MAX);
  };

  const follow = () => {
    source?.close();
    source = new EventSource(campaign.dataset.stream);
    openedAt = Infinity;
    source.addEventListener("open", () => {
      openedAt = performance.now();
      hear();
      show("live");
    });
    source.addEventListener("heartbeat", hear);
    source.addEventListener("campaign", (event) => {
      hear();
      newest = event.lastEventId;
      void read();
    });
    source.addEventListener("error", () => (performance.now() - openedAt > OLD_MS ? follow() : lose()));
    hear();
  };

  show("connecting");
  follow();
}
