/** Measures the plugin's page from within, as `bench/page.py` asks. Runs before any of its scripts. */
(() => {
  if (!location.href.includes("gradascent")) return;
  const realRequest = window.requestAnimationFrame.bind(window);
  const bench = (window.bench = {
    /** Milliseconds from the tab's opening until each visible card was painted. */
    firstRows: null,
    longTasks: [],
    /** What is measured now: milliseconds between frames, of script a frame, from input to paint. */
    intervals: [],
    scripts: [],
    latencies: [],
  });
  new PerformanceObserver((list) => {
    // Tasks of TensorBoard's own page block the tab as well, but are not the plugin's.
    for (const { name, startTime, duration } of list.getEntries()) {
      if (name === "self") bench.longTasks.push([startTime, duration]);
    }
  }).observe({ type: "longtask", buffered: true });

  let script = 0;
  const timed = (work) => (now) => {
    const start = performance.now();
    work(now);
    script += performance.now() - start;
  };
  window.requestAnimationFrame = (callback) => realRequest(timed(callback));

  const visible = () => {
    const { innerHeight, innerWidth } = window;
    return [...document.querySelectorAll("article.sample, button.example")].filter((card) => {
      const { top, bottom, right } = card.getBoundingClientRect();
      return bottom > 0 && top < innerHeight && right > 0 && right <= innerWidth;
    });
  };
  bench.painted = () => {
    const cards = visible();
    return cards.length > 0 && cards.every((card) => card.dataset.painted !== undefined);
  };
  const untilRows = () => {
    if (bench.painted()) bench.firstRows = performance.now();
    else realRequest(untilRows);
  };
  realRequest(untilRows);

  /** How many requests began before that. */
  bench.requests = () => {
    const requests = performance.getEntriesByType("resource");
    return requests.filter(({ startTime }) => startTime < bench.firstRows).length;
  };

  /** Resolves once what has been changed so far is on the screen. */
  bench.presented = () =>
    new Promise((resolve) => {
      realRequest(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(performance.now());
        channel.port2.postMessage(null);
      });
    });

  let last = 0;
  let watching = false;
  const frame = (now) => {
    if (!watching) return;
    if (last) bench.intervals.push(now - last);
    last = now;
    realRequest(frame);
  };
  bench.watch = () => {
    Object.assign(bench, { intervals: [], scripts: [], latencies: [] });
    last = 0;
    watching = true;
    realRequest(frame);
  };
  bench.stop = () => {
    watching = false;
    const { intervals, scripts, latencies } = bench;
    return { intervals, scripts, latencies };
  };

  let began = 0;
  window.addEventListener(
    "input",
    (event) => {
      began = performance.now();
      if (!watching) return;
      bench.presented().then((now) => {
        bench.latencies.push(now - event.timeStamp);
        if (script) bench.scripts.push(script);
        script = 0;
      });
    },
    { capture: true },
  );
  window.addEventListener("input", () => (script += performance.now() - began));

  /** Milliseconds from a choice until its answer is on the screen. */
  bench.choose = async (selector, value) => {
    const control = document.querySelector(selector);
    const start = performance.now();
    if (value === null) control.click();
    else {
      control.value = value;
      const type = control.type === "search" ? "input" : "change";
      control.dispatchEvent(new Event(type, { bubbles: true }));
    }
    return (await bench.presented()) - start;
  };

  /** Scrolls from one end to the other, so fast that every picture is fetched. */
  bench.scrollThrough = async (screens) => {
    const grid = document.querySelector(".grid");
    const end = grid.scrollHeight - grid.clientHeight;
    for (let top = 0; top < end; top += screens * grid.clientHeight) {
      grid.scrollTop = top;
      do await bench.presented();
      while (!bench.painted());
    }
    grid.scrollTop = end;
    return grid.scrollHeight;
  };
})();
