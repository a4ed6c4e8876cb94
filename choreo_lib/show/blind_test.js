// The blind test: one clip after the other, danced or made? Scores itself, keeps nothing, asks no network.
// Lines that start with // and leading blanks are dropped when it is put into a page, as of player.js.
'use strict';
(() => {
const told = JSON.parse(document.getElementById('test').textContent);
const clips = [...document.querySelectorAll('template.clip')].map(each => each.innerHTML);
const key = [...atob(told.key)].map(Number), at = id => document.getElementById(id);
const percent = share => `${Math.round(100 * share)} %`;
let answers = [];

function show() {
  const number = answers.length;
  at('status').textContent = `Clip ${number + 1} of ${clips.length}: danced, or made?`;
  at('stage').title = `Clip ${number + 1}`;
  at('stage').srcdoc = told.before + clips[number] + told.after;
}

function answer(choice) {
  if (answers.length >= clips.length) return;
  answers.push(choice);
  if (answers.length < clips.length) show(); else finish();
}

function finish() {
  const right = answers.filter((choice, k) => choice === key[k]).length, [low, high] = told.intervals[right];
  const verdict = low > 0.5 ? 'You can tell them apart.' : high < 0.5 ?
    'You can tell them apart, and take each for the other.' : 'From guessing this cannot be told.';
  at('asking').hidden = true;
  at('result').hidden = false;
  at('score').textContent = `${right} of ${key.length} right. The 95 % interval of your share is ${percent(low)} to ` +
    `${percent(high)}; guessing has 50 %. ${verdict}`;
  at('answers').replaceChildren(...key.map((truth, k) => {
    const row = document.createElement('li');
    row.textContent = `${told.words[truth]}; you said ${told.words[answers[k]]}` + (truth === answers[k] ? '' : ' (not so)');
    return row;
  }));
  at('status').textContent = 'The end of the test.';
  at('score').focus();
}

function begin() {
  answers = [];
  at('asking').hidden = false;
  at('result').hidden = true;
  show();
}

at('danced').addEventListener('click', () => answer(0));
at('made').addEventListener('click', () => answer(1));
at('again').addEventListener('click', () => { begin(); at('danced').focus(); });
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === 'd') answer(0); else if (event.key === 'm') answer(1);
});
begin();
})();
