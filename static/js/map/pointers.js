// Mouse, pen and fingers on the stage as a few plain gestures; places are CSS pixels from the corner inside the stage's border.

const STILL = 5; // CSS pixels a press may move and still be a click
const DOUBLE_MS = 320;
const WHEEL = 0.0016; // zoom for each pixel of a wheel
const PINCH_WHEEL = 0.012; // a trackpad's pinch comes as small steps of a wheel with Ctrl

export function onPointers(stage, on) {
  const pressed = new Map(); // pointer id -> where it is
  let moved = 0;
  let lastTap = { at: 0 };
  const place = (event) => {
    const { left, top } = stage.getBoundingClientRect();
    return [event.clientX - left - stage.clientLeft, event.clientY - top - stage.clientTop];
  };
  const isCard = (event) => event.target.closest?.(".map-card.pinned, .map-zoom");

  stage.addEventListener("pointerdown", (event) => {
    if (isCard(event) || event.button > 0) return;
    if (!pressed.size) moved = 0;
    pressed.set(event.pointerId, place(event));
    if (pressed.size > 1) moved = Infinity; // two fingers never click
  });

  stage.addEventListener("pointermove", (event) => {
    const now = place(event);
    if (!pressed.has(event.pointerId)) {
      if (event.pointerType !== "touch" && !isCard(event)) event.target.closest("a") ? on.leave() : on.hover(...now);
      return;
    }
    const before = pressed.get(event.pointerId);
    const [x, y] = [now[0] - before[0], now[1] - before[1]];
    moved += Math.hypot(x, y);
    if (moved < STILL) return;
    // Captured only now: a captured press would not click the link it began on.
    if (!stage.hasPointerCapture(event.pointerId)) stage.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, now);
    if (pressed.size === 1) return on.pan(x, y);
    const other = [...pressed].find(([id]) => id !== event.pointerId)[1];
    const apart = (at) => Math.max(1, Math.hypot(at[0] - other[0], at[1] - other[1]));
    on.pan(x / 2, y / 2);
    on.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  });

  const release = (event) => {
    if (!pressed.delete(event.pointerId) || event.type === "pointercancel") return;
    if (moved >= STILL || event.target.closest("a")) return;
    const at = place(event);
    const isDouble = event.timeStamp - lastTap.at < DOUBLE_MS && Math.hypot(at[0] - lastTap.x, at[1] - lastTap.y) < 24;
    lastTap = isDouble ? { at: 0 } : { at: event.timeStamp, x: at[0], y: at[1] };
    if (event.pointerType === "touch") on.tap(...at);
    else on.click(...at);
    if (isDouble) on.double(...at);
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && !pressed.size && on.leave());
  // A drag that began on a label is no click on it.
  stage.addEventListener("click", (event) => moved >= STILL && event.target.closest("a") && event.preventDefault(), true);

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const step = event.deltaY * lines * (event.ctrlKey ? PINCH_WHEEL : WHEEL);
    on.zoom(Math.exp(-Math.max(-0.8, Math.min(0.8, step))), ...place(event));
  }, { passive: false });
}
