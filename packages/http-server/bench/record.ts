/** A record of ten fields as a GET returns it. */
export const record: string = JSON.stringify({
  active: true,
  born: 1815,
  city: 'London',
  email: 'ada@example.com',
  followers: 1842,
  name: 'Ada Lovelace',
  note: 'Wrote the first program for a machine that was never built.',
  score: 98.6,
  tag: 'analytical-engine',
  updated: 1700000000000,
})
