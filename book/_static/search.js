// The book's search: sections that hold every word of what is asked, the best first, each with the place where it does.
// `BOOK` is written by tools/book_search.py: pages [address, title], sections [page, anchor, title, words].
'use strict';
addEventListener('DOMContentLoaded', () => {
  const asked = (new URLSearchParams(location.search).get('q') || '').trim(), out = document.getElementById('search-results');
  const field = document.querySelector('.bd-search-container input[name=q]');
  if (field) field.value = asked;
  const fold = text => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  const words = [...new Set(fold(asked).split(/[^\p{L}\p{N}]+/u).filter(Boolean))];
  if (!words.length) return;
  // A word finds what begins as it does, without its ending; one of up to three letters only itself and its plural.
  const marks = words.map(word => {
    const stem = word.length > 4 ? word.replace(/(ings?|ies|es|s|ed|y)$/, '') : word;
    return new RegExp('(?<![\\p{L}\\p{N}])' + stem + (word.length < 4 ? 's?(?![\\p{L}\\p{N}])' : '[\\p{L}\\p{N}]*'), 'gu');
  });
  const whole = words.join(' ');
  const found = BOOK.sections.map(([page, anchor, title, text]) => {
    const [head, body] = [fold(title), fold(text)], [url, pageTitle] = BOOK.pages[page];
    let score = 0;
    for (const mark of marks) {
      const inHead = (head.match(mark) || []).length, inBody = (body.match(mark) || []).length;
      if (!inHead && !inBody) return null;
      score += 20 * Math.min(inHead, 1) + Math.min(inBody, 5);
    }
    if (head.replace(/s$/, '') === whole.replace(/s$/, '')) score += 40;
    if (words.length > 1 && body.includes(whole)) score += 10;
    if (title.startsWith('choreo_lib.')) score -= 8;  // who looks for a word wants the chapter before the names that hold it
    return { score, title, text, body, pageTitle, url: url + (anchor && '#' + anchor) };
  }).filter(Boolean).sort((x, y) => y.score - x.score);
  const add = (parent, tag, text, more = {}) => parent.appendChild(Object.assign(document.createElement(tag), { textContent: text }, more));
  const shown = found.slice(0, 50);
  add(out, 'p', !found.length ? 'Nothing in the book holds all of these words.' :
    (found.length === 1 ? 'One place' : found.length + ' places') + (shown.length < found.length ? ', the best ' + shown.length + ' here' : ''), { role: 'status' });
  const list = add(out, 'ul', '');
  for (const { title, text, body, pageTitle, url } of shown) {
    const item = add(list, 'li', ''), link = add(item, 'a', title, { href: url });
    link.addEventListener('click', () => { try { localStorage.setItem('sphinx_highlight_terms', asked.toLowerCase()); } catch { /* as a file, some browsers keep nothing */ } });
    if (pageTitle !== title) add(item, 'span', pageTitle);
    // the place with the most different words near it
    const hits = marks.flatMap((mark, k) => [...body.matchAll(mark)].slice(0, 40).map(m => [m.index, m.index + m[0].length, k])).sort((x, y) => x[0] - y[0]);
    if (!text) continue;
    const near = ([at]) => new Set(hits.filter(h => h[0] >= at && h[0] < at + 160).map(h => h[2])).size;
    const best = hits.reduce((old, hit) => (!old || near(hit) > near(old) ? hit : old), null);
    let from = best ? Math.max(best[0] - 60, 0) : 0, to = Math.min(from + 240, text.length);
    while (from > 0 && from < text.length && !/\s/.test(text[from - 1])) from++;
    while (to < text.length && !/\s/.test(text[to])) to++;
    const quote = add(item, 'p', from ? '\u2026 ' : '');
    let at = from;
    for (const [start, end] of hits.filter(h => h[0] >= from && h[1] <= to)) {
      if (start < at) continue;
      quote.append(text.slice(at, start));
      add(quote, 'mark', text.slice(start, end));
      at = end;
    }
    quote.append(text.slice(at, to) + (to < text.length ? ' \u2026' : ''));
  }
});
