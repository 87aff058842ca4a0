// The inspection token, which also lets this page ask the agent where callers need a token.

export const TOKEN_KEY = "sentient.inspection-token";

/** Headers with the token, when there is one. */
export function withToken(headers = {}) {
  let token = null;
  try {
    token = sessionStorage.getItem(TOKEN_KEY);
  } catch {
    // a browser without storage
  }
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}
