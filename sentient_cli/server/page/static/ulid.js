// ULIDs as https://github.com/ulid/spec has them: 48 bits of milliseconds, 80 random bits, increasing within one page.

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Makes ULIDs, each greater than the one before, also when the clock goes back. */
export class Ulids {
  #now;
  #random;
  #time = -1;
  #tail = 0n;

  constructor(now = () => Date.now(), random = (bytes) => crypto.getRandomValues(bytes)) {
    this.#now = now;
    this.#random = random;
  }

  next() {
    const time = Math.max(Math.floor(this.#now()), this.#time);
    if (time > this.#time) {
      this.#time = time;
      // The highest bit is left free, so that counting on from here never overflows.
      this.#tail = this.#random(new Uint8Array(10)).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) >> 1n;
    } else {
      this.#tail += 1n;
    }
    return encode((BigInt(this.#time) << 80n) | this.#tail);
  }
}

function encode(value) {
  let text = "";
  for (let rest = value, i = 0; i < 26; i += 1, rest >>= 5n) text = ALPHABET[Number(rest & 31n)] + text;
  return text;
}

/** The milliseconds in a ULID, or null. */
export function ulidTime(text) {
  if (typeof text !== "string" || !/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text)) return null;
  return [...text.slice(0, 10)].reduce((sum, char) => sum * 32 + ALPHABET.indexOf(char), 0);
}
