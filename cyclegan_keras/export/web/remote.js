// Has the server translate that this page came from.

const MOST_TRIES = 20;

function makeTranslator() {
  return async (file, way, report) => {
    for (let number = 1; ; number++) {
      report(number === 1 ? "Translating" : "Waiting: the server is busy", 0);
      let response;
      try {
        response = await fetch(`api/translate?way=${way}`, { method: "POST", body: file });
      } catch {
        throw new Error("The server does not answer. Is it still running?");
      }
      if (response.ok) return response.blob();
      const busy = response.status === 503 && number < MOST_TRIES;
      if (!busy) throw new Error(await reasonOf(response));
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    }
  };
}

async function reasonOf(response) {
  try {
    return (await response.json()).error;
  } catch {
    return `The server answered with status ${response.status}.`;
  }
}
