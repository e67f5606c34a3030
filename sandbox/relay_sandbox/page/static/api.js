// The page's server. What goes wrong comes back as an `ApiError` with a sentence.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** GET `/api/...`; `signal` gives it up. */
export const get = (path, signal) => call("GET", path, undefined, signal);

/** POST a JSON object to `/api/...`. */
export const post = (path, body = {}, signal = undefined) => call("POST", path, body, signal);

/** DELETE `/api/...`. */
export const remove = (path) => call("DELETE", path);

async function call(method, path, body, signal) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const sent = body === undefined ? undefined : JSON.stringify(body);
  let response;
  try {
    response = await fetch(`/api/${path}`, { method, headers, body: sent, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The sandbox does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new ApiError(response.status, answer?.error ?? `The sandbox answered ${response.status}.`);
}
