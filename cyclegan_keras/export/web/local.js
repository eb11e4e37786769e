// Translates in this browser: a worker has the runtime and the networks.

function makeTranslator(settings) {
  const text = (id) => document.getElementById(id).textContent;
  const source = new Blob([text("worker")], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(source));
  const models = Object.fromEntries(settings.ways.map((way) => [way, text(`model-${way}`)]));
  worker.postMessage({ page: { ...settings, runtime: text("runtime"), models } });
  const waiting = new Map();
  let count = 0;
  worker.onmessage = ({ data: { id, blob, error, stage, share } }) => {
    const { resolve, reject, report } = waiting.get(id);
    if (stage) return report(STAGES[stage], share);
    waiting.delete(id);
    return blob ? resolve(blob) : reject(new Error(error));
  };
  let failure = null;
  worker.onerror = (event) => {
    event.preventDefault();
    const reason = event.message || "its thread could not be started";
    failure = new Error(`This browser cannot run the page: ${reason}. Try a newer one.`);
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  };
  return (file, way, report) =>
    new Promise((resolve, reject) => {
      if (failure) return reject(failure);
      waiting.set(++count, { resolve, reject, report });
      worker.postMessage({ id: count, way, file });
    });
}

const STAGES = {
  reading: "Reading",
  translating: "Translating",
  detail: "Adding the detail of the picture",
  writing: "Writing",
};
