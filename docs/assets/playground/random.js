// Draws that follow from a seed, so that a slider changes its setting and not the draw.

export class Draws {
  constructor(seed) {
    this.state = seed >>> 0;
    for (let k = 0; k < 4; k++) this.share();  // neighbouring seeds begin alike
  }

  /** Uniform in [0, 1): a Weyl sequence, its bits mixed. */
  share() {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let bits = this.state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return ((bits ^ (bits >>> 15)) >>> 0) / 2 ** 32;
  }

  uniform(low, high) {
    return low + (high - low) * this.share();
  }

  logUniform(low, high) {
    return Math.exp(this.uniform(Math.log(low), Math.log(high)));
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low, high) {
    return low + Math.floor(this.share() * (high - low + 1));
  }

  coin() {
    return this.share() < 0.5;
  }

  /** Standard normal (Box and Muller, 1958). */
  normal() {
    return Math.sqrt(-2 * Math.log(1 - this.share())) * Math.cos(2 * Math.PI * this.share());
  }

  /** Gamma of any shape above 0 (Marsaglia and Tsang, 2000). */
  gamma(shape) {
    if (shape < 1) return this.gamma(shape + 1) * this.share() ** (1 / shape);
    const d = shape - 1 / 3, c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal(), v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - this.share()) < x * x / 2 + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  beta(alpha) {
    const one = this.gamma(alpha), other = this.gamma(alpha);
    return one / (one + other);
  }

  /** An order of n things other than the original one. */
  order(n) {
    for (;;) {
      const order = Array.from({ length: n }, (_, k) => k);
      for (let k = n - 1; k > 0; k--) {
        const other = this.whole(0, k);
        [order[k], order[other]] = [order[other], order[k]];
      }
      if (order.some((thing, k) => thing !== k)) return order;
    }
  }
}
