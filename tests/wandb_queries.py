"""What the W&B server of the tests answers to those who read: Api queries, and reports.

Its answers were written from the client's questions, as those of `wandb_server`.
"""

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

Values = dict[str, Any]
PAGE = {"hasNextPage": False, "endCursor": None}


def matches(run: Values, filters: Values | None) -> bool:
    """Whether a run, as its bucket says, is meant by a filter in Mongo's words."""
    for key, wanted in (filters or {}).items():
        if key in ("$and", "$or"):
            found = [matches(run, part) for part in wanted]
            if not (all(found) if key == "$and" else any(found)):
                return False
            continue
        value = _value(run, key)
        values = value if isinstance(value, list) else [value]
        rules = wanted if isinstance(wanted, dict) else {"$in": [wanted]}
        for rule, given in rules.items():
            if not _RULES[rule](values, given):
                return False
    return True


_RULES: dict[str, Callable[[list[Any], Any], bool]] = {
    "$in": lambda values, given: any(v in given for v in values),
    "$nin": lambda values, given: not any(v in given for v in values),
    "$eq": lambda values, given: given in values,
    "$ne": lambda values, given: given not in values,
    "$regex": lambda values, given: any(re.search(given, str(v)) for v in values),
    "$exists": lambda values, given: (values != [None]) == given,
}


def _value(run: Values, path: str) -> Any:
    first, _, rest = path.partition(".")
    if first == "config":
        found: Any = json.loads(run["config"])
        for key in rest.split("."):
            if isinstance(found, dict) and key not in found and "value" in found:
                found = found["value"]
            found = found.get(key) if isinstance(found, dict) else None
        return found
    if first in ("summary_metrics", "summaryMetrics"):
        return json.loads(run["summaryMetrics"]).get(rest)
    return run.get({"display_name": "displayName"}.get(path, path))


class Queries:
    """The answers to readers, for a `Server` that has runs, artifacts and views."""

    runs: Any
    url: str
    views: dict[str, Values]
    project: Callable[[str], Values]
    bucket: Callable[[Any], Values]

    def _projects(self) -> list[str]:
        found = [run.fields.get("project", "") for run in self.runs.values()]
        views = {view["project"]["name"] for view in self.views.values()}
        return sorted({name for name in found if name} | views)

    def on_Runs(self, values: Values) -> Values:
        if values["project"] not in self._projects():
            return {"project": None}
        filters = json.loads(values.get("filters") or "{}")
        buckets = [
            self.bucket(run)
            for run in self.runs.values()
            if run.fields.get("project") == values["project"]
        ]
        found = [bucket for bucket in buckets if matches(bucket, filters)]
        start, size = int(values.get("cursor") or 0), values.get("perPage") or 50
        page = found[start : start + size]
        edges = [{"node": b, "cursor": str(start + i + 1)} for i, b in enumerate(page)]
        info = {"endCursor": str(start + len(page)), "hasNextPage": start + len(page) < len(found)}
        runs = {"edges": edges, "pageInfo": info}
        project = self.project(values["project"])
        return {"project": {**project, "runCount": len(found), "runs": runs}}

    on_LightweightRuns = on_Runs

    def _run(self, values: Values) -> Any:
        """The run that a question is about, which names it in one of three words; or None."""
        name = values.get("name") or values.get("run") or values.get("runName")
        return self.runs.get((values.get("project") or values.get("projectName"), name))

    def on_Run(self, values: Values) -> Values:
        run = self._run(values)
        return {"project": {"internalId": "1", "run": self.bucket(run) if run else None}}

    on_RunState = on_QueryRunInfo = on_Run

    def on_RunParquetHistory(self, values: Values) -> Values:
        live = self._run(values).history
        return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": live}}}}

    def on_HistoryPage(self, values: Values) -> Values:
        rows = self._run(values).history
        page = [
            json.dumps(row)
            for row in rows
            if values["minStep"] <= row.get("_step", 0) < values["maxStep"]
        ]
        return {"project": {"run": {"history": page}}}

    def on_RunSampledHistory(self, values: Values) -> Values:
        specs = [json.loads(text) for text in values.get("specs") or [values["spec"]]]
        rows = self._run(values).history
        sampled = [
            [{k: row[k] for k in spec["keys"]} for row in rows if set(spec["keys"]) <= row.keys()]
            for spec in specs
        ]
        return {"project": {"run": {"sampledHistory": sampled}}}

    on_SampledHistoryPage = on_RunSampledHistory

    def on_RunHistoryKeys(self, values: Values) -> Values:
        keys = self.bucket(self._run(values))["historyKeys"]
        return {"project": {"run": {"historyKeys": keys}}}

    def on_RunFiles(self, values: Values) -> Values:
        run = self._run(values)
        wanted = values.get("fileNames") or []
        names = [n for n in dict.fromkeys(run.files) if not wanted or n in wanted]
        edges = []
        for file in names:
            url = f"{self.url}/files/{quote(run.fields['project'])}/{run.name}/{file}"
            node = {"__typename": "File", "id": file, "name": file, "url": url, "directUrl": url}
            more = {"sizeBytes": 1, "mimetype": "", "updatedAt": "", "md5": "", "owner": None}
            edges.append({"node": {**node, **more}, "cursor": "c"})
        files = {"edges": edges, "pageInfo": PAGE}
        found = {"fileCount": len(names), "files": files}
        return {"project": {"internalId": "1", "run": found}}

    on_GetRunFiles = on_RunFiles

    def on_GetProjects(self, values: Values) -> Values:
        edges = [{"node": self.project(name)} for name in self._projects()]
        return {"models": {"pageInfo": {"__typename": "PageInfo", **PAGE}, "edges": edges}}

    def on_ProjectInternalId(self, values: Values) -> Values:
        name = values["projectName"]
        return {"project": self.project(name) if name in self._projects() else None}

    def on_UpsertModel(self, values: Values) -> Values:
        project = self.project(values.get("name") or values.get("model") or "")
        return {"upsertModel": {"project": project, "model": project, "inserted": True}}

    on_upsertModel = on_UpsertModel

    def on_UpsertView(self, values: Values) -> Values:
        key = values.get("id") or base64.b64encode(f"View:{len(self.views) + 1}".encode()).decode()
        is_new = key not in self.views
        given = {name: values.get(name) for name in ("type", "name", "displayName", "description")}
        project = {"id": "p", "name": values["projectName"], "entityName": values["entityName"]}
        times = {"updatedAt": "2026-01-01T00:00:00Z", "createdAt": "2026-01-01T00:00:00Z"}
        self.views[key] = {"id": key, **given, "project": project, "spec": values["spec"], **times}
        return {"upsertView": {"view": self.views[key], "inserted": is_new}}

    on_upsertView = on_UpsertView

    def on_SpecificReport(self, values: Values) -> Values:
        return {"view": self.views.get(values["reportId"])}

    def on_deleteView(self, values: Values) -> Values:
        self.views.pop(values["id"], None)
        return {"deleteView": {"success": True, "pendingDrafts": [], "__typename": "x"}}
