// Times CesiumJS in headless Chromium: from a new camera until every tile of the view is there and drawn.
// node cesium_tiles.mjs JOB.json; prints one line of JSON. The modules lie in the folder that the job names.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
const require = createRequire(job.modules + "/");
const { chromium } = require("playwright-core");
const browser = await chromium.launch({
  executablePath: job.chromium,
  args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"],
});
try {
  const page = await browser.newPage({ viewport: { width: job.width, height: job.height } });
  page.on("pageerror", (error) => console.error(String(error)));
  await page.goto(job.page);
  await page.waitForFunction("window.Cesium !== undefined", null, { timeout: 60000 });
  const found = await page.evaluate(async (job) => {
    const Cesium = window.Cesium;
    const scene = new Cesium.CesiumWidget("view", {
      globe: false, skyBox: false, skyAtmosphere: false, baseLayer: false, msaaSamples: 1,
      contextOptions: { webgl: { antialias: false, failIfMajorPerformanceCaveat: false } },
    }).scene;
    scene.fog.enabled = false;
    const aspect = job.width / job.height;
    scene.camera.frustum.fov = 2 * Math.atan(Math.tan((job.angle * Math.PI) / 360) * aspect);
    scene.camera.frustum.far = 1e7;
    const place = (view) => scene.camera.setView({
      destination: Cesium.Cartesian3.fromArray(view.eye),
      orientation: { direction: Cesium.Cartesian3.fromArray(view.direction), up: Cesium.Cartesian3.fromArray(view.up) },
    });
    // A first frame, so that starting WebGL is not counted.
    place(job.views[0]);
    scene.render();
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const results = [];
    let tileset;
    for (const view of job.views) {
      const begun = performance.now();
      place(view);
      if (!tileset) {
        tileset = await Cesium.Cesium3DTileset.fromUrl(job.tileset, {
          // By default the error allowed grows with the distance; here it is the same everywhere, as on the other side.
          maximumScreenSpaceError: job.pixels, dynamicScreenSpaceError: false,
          cullRequestsWhileMoving: false, foveatedScreenSpaceError: false,
        });
        scene.primitives.add(tileset);
      }
      let quiet = 0;
      let frames = 0;
      while (quiet < 2 && performance.now() - begun < job.longest * 1000) {
        await frame();
        frames += 1;
        quiet = tileset.tilesLoaded && tileset._statistics.selected > 0 ? quiet + 1 : 0;
      }
      const seconds = (performance.now() - begun) / 1000;
      const again = performance.now();
      for (let k = 0; k < 5; k++) await frame();
      const gl = scene.canvas.getContext("webgl2");
      gl.finish();
      results.push({
        seconds, frames, frame: (performance.now() - again) / 5000, complete: tileset.tilesLoaded,
        tiles: tileset._statistics.selected, triangles: tileset._statistics.numberOfTrianglesSelected,
      });
    }
    const size = [scene.context.drawingBufferWidth, scene.context.drawingBufferHeight];
    return { version: Cesium.VERSION, size, views: results };
  }, job);
  console.log(JSON.stringify(found));
} finally {
  await browser.close();
}
