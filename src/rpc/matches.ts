/** Whether labels have every pair of a selector. An empty selector fits all. */
export function hasLabels(labels: Record<string, string>, selector: Record<string, string>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
