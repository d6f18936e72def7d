// Runs after the page of docs/how-to/deep-zoom.md: tells what its viewer has loaded and shows.
// SETTING is put in by the test: the points to look at, and where to zoom to.
const loaded = [], failed = [];
const tell = (told) => fetch("/told", { method: "POST", body: JSON.stringify(told) });
viewer.addHandler("tile-loaded", (event) => loaded.push(event.tile.getUrl()));
viewer.addHandler("tile-load-failed", (event) => failed.push(event.tile.getUrl()));
viewer.addHandler("open-failed", (event) => tell({ error: event.message }));

function colours(points) {
  const canvas = viewer.drawer.canvas;
  const scale = canvas.width / viewer.container.clientWidth;
  const context = canvas.getContext("2d");
  return points.map(([x, y]) => {
    const at = viewer.viewport.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
    return [...context.getImageData(at.x * scale, at.y * scale, 1, 1).data].slice(0, 3);
  });
}

const settled = () => new Promise((done) => {
  viewer.forceRedraw();
  const timer = setInterval(() => {
    const again = failed.filter((url) => !loaded.includes(url)); // a busy server says 503 first
    if (viewer.world.getItemAt(0).getFullyLoaded() && !again.length) {
      clearInterval(timer);
      viewer.forceRedraw();
      requestAnimationFrame(() => requestAnimationFrame(done));
    }
  }, 50);
});

viewer.addHandler("open", async () => {
  const size = viewer.world.getItemAt(0).getContentSize();
  await settled();
  const whole = colours(SETTING.whole);
  const [x, y, side] = SETTING.detail;
  const bounds = viewer.viewport.imageToViewportRectangle(x, y, side, side);
  viewer.viewport.fitBounds(bounds, true);
  await settled();
  const detail = colours(SETTING.near);
  tell({ width: size.x, height: size.y, whole, detail, loaded });
});
