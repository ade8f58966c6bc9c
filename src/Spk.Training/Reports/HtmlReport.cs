using Spk.Engine.Models;
using Spk.Interop;
using Spk.Training.Evaluation;

namespace Spk.Training.Reports;

/// <summary>
/// Writes one self-contained HTML page: tables and inline SVG, no scripts, nothing loaded from elsewhere, light and dark by the
/// reader's preference.
/// </summary>
public static class HtmlReport
{
    /// <summary>Writes the page, all or nothing.</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <param name="data">What to show.</param>
    /// <exception cref="SpkException">The file cannot be written.</exception>
    public static void Write(string path, ReportData data) => AtomicFile.WriteText(path, Render(data));

    /// <summary>Makes the page.</summary>
    /// <param name="data">What to show.</param>
    /// <returns>HTML that is well-formed XML, too.</returns>
    public static string Render(ReportData data)
    {
        ArgumentNullException.ThrowIfNull(data);
        var page = OpenPage(data.Title, data.Subtitle);
        foreach (string warning in data.Warnings)
        {
            page.Element("p", warning, "class", "warning", "role", "alert");
        }

        Cards(page, data);
        Summary(page, data);
        page.Open("div", "class", "charts");
        Charts(page, data);
        page.Close();
        Groups(page, data);
        if (data.Recipe is not null)
        {
            page.Open("section").Element("h2", "Resolved recipe").Element("pre", data.Recipe.TrimEnd()).Close();
        }

        return page.Close().Close().Close().ToString();
    }

    /// <summary>A page up to the beginning of its main part; main, body and html stay open.</summary>
    internal static Markup OpenPage(string title, string? subtitle)
    {
        var page = new Markup().Raw("<!DOCTYPE html>\n").Open("html", "lang", "en", "xmlns", "http://www.w3.org/1999/xhtml");
        page.Open("head").Empty("meta", "charset", "utf-8").Empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1")
            .Empty("meta", "name", "color-scheme", "content", "light dark").Element("title", title);
        page.Open("style").Raw(ReportStyle.Sheet).Close().Close();
        page.Open("body").Open("header").Element("h1", title);
        if (subtitle is not null)
        {
            page.Element("p", subtitle, "class", "quiet");
        }

        return page.Close().Open("main");
    }

    private static void Cards(Markup page, ReportData data)
    {
        if (data.After is not { } after)
        {
            return;
        }

        string confidence = Format.Percent(after.Confidence, 0) + " interval ";
        page.Open("div", "class", "cards");
        Card("Equal error rate", Format.Percent(after.Eer), after.EerInterval is { } e ? confidence + Format.Percent(e) : null, data.Before is { } b ? Format.Percent(b.Eer) : null);
        Card("minDCF, p = 0.01", Format.Fixed(after.MinDcf01), after.MinDcf01Interval is { } one ? confidence + Format.Fixed(one) : null, data.Before is { } b1 ? Format.Fixed(b1.MinDcf01) : null);
        Card("minDCF, p = 0.05", Format.Fixed(after.MinDcf05), after.MinDcf05Interval is { } five ? confidence + Format.Fixed(five) : null, data.Before is { } b5 ? Format.Fixed(b5.MinDcf05) : null);
        if (after.Metrics.CanMeasureFar(0.01))
        {
            Card("FRR at 1\u202F% FAR", Format.Percent(after.Metrics.FrrAtFar(0.01)), null, data.Before is { } f && f.Metrics.CanMeasureFar(0.01) ? Format.Percent(f.Metrics.FrrAtFar(0.01)) : null);
        }

        Card("Trials", Format.Whole(after.Trials), $"{Format.Whole(after.Targets)} same speaker, {Format.Whole(after.Trials - after.Targets)} different; {Format.Whole(after.Speakers)} speakers", null);
        page.Close();

        void Card(string name, string value, string? detail, string? before)
        {
            page.Open("div", "class", "card").Element("p", name, "class", "name").Element("p", value, "class", "value");
            if (detail is not null)
            {
                page.Element("p", detail, "class", "quiet");
            }

            if (before is not null)
            {
                page.Element("p", $"{data.BeforeName}: {before}", "class", "quiet");
            }

            page.Close();
        }
    }

    private static void Summary(Markup page, ReportData data)
    {
        if (data.Summary.Count == 0)
        {
            return;
        }

        page.Open("section").Element("h2", "Run").Open("dl");
        foreach (var field in data.Summary)
        {
            page.Open("div").Element("dt", field.Name).Element("dd", field.Value).Close();
        }

        page.Close().Close();
    }

    private static void Charts(Markup page, ReportData data)
    {
        page.Raw(Figures.Lines(new ReportChart("Training loss", "step", [new ReportSeries("loss", data.Loss)])));
        page.Raw(Figures.Lines(new ReportChart("Equal error rate", "epoch", data.EerByEpoch, Percent: true)));
        foreach (var chart in data.Charts)
        {
            page.Raw(Figures.Lines(chart));
        }

        page.Raw(Figures.Lines(new ReportChart("Learning rate", "step", [new ReportSeries("learning rate", data.LearningRate)])));

        // Figures of one height stand side by side, so that no row has a gap.
        page.Close().Open("div", "class", "charts");
        page.Raw(Figures.Histogram(data.Before, data.BeforeName));
        page.Raw(Figures.Histogram(data.After, data.AfterName));
        page.Close().Open("div", "class", "charts");
        page.Raw(Figures.Det(data));
        page.Raw(Figures.Map(data));
    }

    private static void Groups(Markup page, ReportData data)
    {
        if (data.After is not { Groups.Count: > 0 } after)
        {
            return;
        }

        var before = data.Before?.Groups.ToDictionary(g => g.Name, StringComparer.Ordinal);
        page.Open("section").Element("h2", "Groups of trials").Open("div", "class", "scroll").Open("table").Open("thead").Open("tr").Element("th", "group");
        string[] heads = ["trials", "same speaker", .. before is null ? Array.Empty<string>() : ["EER " + data.BeforeName], "EER", $"{Format.Percent(after.Confidence, 0)} interval", "minDCF 0.01", "minDCF 0.05"];
        foreach (string head in heads)
        {
            page.Element("th", head, "class", "number");
        }

        page.Close().Close().Open("tbody");
        foreach (var group in after.Groups)
        {
            Row(group, before?.GetValueOrDefault(group.Name)?.Eer);
        }

        Row(new GroupResult("all", after.Trials, after.Targets, after.Eer, after.MinDcf01, after.MinDcf05, after.EerInterval), data.Before?.Eer);
        page.Close().Close().Close();
        page.Element(
            "p",
            $"Cosine scores. Equal error rates are interpolated with equal scores grouped; minDCF has unit costs at the given target prior. Intervals: bootstrap over speakers, {Format.Whole(after.BootstrapDraws)} draws. All trials share one threshold in the row “all”, so it also counts shifts of scores between groups.",
            "class",
            "quiet").Close();

        void Row(GroupResult group, double? earlier)
        {
            page.Open("tr").Element("td", group.Name);
            string[] cells =
            [
                Format.Whole(group.Trials), Format.Whole(group.Targets), .. before is null ? Array.Empty<string>() : [Percent(earlier)], Percent(group.Eer),
                group.EerInterval is { } interval ? Format.Percent(interval) : "–", Fixed(group.MinDcf01), Fixed(group.MinDcf05),
            ];
            foreach (string cell in cells)
            {
                page.Element("td", cell, "class", "number");
            }

            page.Close();
        }

        static string Percent(double? value) => value is { } v ? Format.Percent(v) : "–";
        static string Fixed(double? value) => value is { } v ? Format.Fixed(v) : "–";
    }
}
