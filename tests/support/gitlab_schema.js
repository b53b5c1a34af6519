// Prints GitLab's own schema of pipelines, which gitlab-ci-local carries inside its bundle (argument 1).
const fs = require('fs'); const text = fs.readFileSync(process.argv[2], 'utf8');
const at = text.lastIndexOf('={$schema:', text.indexOf('markdownDescription')) + 1;
let depth = 0, end = at, quote = '';
for (; end < text.length; end++) {
  const c = text[end];
  if (quote) { if (c === '\\') end++; else if (c === quote) quote = ''; }
  else if (c === '"' || c === "'" || c === '`') quote = c;
  else if (c === '{') depth++;
  else if (c === '}' && --depth === 0) break;
}
console.log(JSON.stringify(eval('(' + text.slice(at, end + 1) + ')')));
