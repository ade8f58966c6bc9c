using System.Globalization;
using System.Text;

namespace Spk.Training.Reports;

/// <summary>Builds markup that is well-formed as XML, too; all text and attribute values are escaped.</summary>
internal sealed class Markup
{
    private readonly StringBuilder _text = new();
    private readonly Stack<string> _open = new();

    /// <summary>Adds raw markup or style text, as it is.</summary>
    public Markup Raw(string text)
    {
        _text.Append(text);
        return this;
    }

    /// <summary>Opens an element; attributes are name and value in turn, a null value drops the pair.</summary>
    public Markup Open(string name, params ReadOnlySpan<string?> attributes)
    {
        Tag(name, attributes, ">");
        _open.Push(name);
        return this;
    }

    /// <summary>Closes the element opened last.</summary>
    public Markup Close()
    {
        _text.Append("</").Append(_open.Pop()).Append(">\n");
        return this;
    }

    /// <summary>An element without content.</summary>
    public Markup Empty(string name, params ReadOnlySpan<string?> attributes)
    {
        Tag(name, attributes, "/>\n");
        return this;
    }

    /// <summary>An element that holds text only.</summary>
    public Markup Element(string name, string text, params ReadOnlySpan<string?> attributes)
    {
        Tag(name, attributes, ">");
        Escape(text);
        _text.Append("</").Append(name).Append(">\n");
        return this;
    }

    /// <summary>A number for a coordinate: two decimals are a fiftieth of a pixel.</summary>
    public static string N(double value) => Math.Round(value, 2).ToString("0.##", CultureInfo.InvariantCulture);

    public override string ToString() => _text.ToString();

    private void Tag(string name, ReadOnlySpan<string?> attributes, string end)
    {
        _text.Append('<').Append(name);
        for (int i = 0; i + 1 < attributes.Length; i += 2)
        {
            if (attributes[i + 1] is { } value)
            {
                _text.Append(' ').Append(attributes[i]).Append("=\"");
                Escape(value);
                _text.Append('"');
            }
        }

        _text.Append(end);
    }

    private void Escape(string text)
    {
        foreach (char c in text)
        {
            // Other control characters are not allowed in XML, not even escaped.
            _ = c switch
            {
                '&' => _text.Append("&amp;"),
                '<' => _text.Append("&lt;"),
                '>' => _text.Append("&gt;"),
                '"' => _text.Append("&quot;"),
                < ' ' and not ('\n' or '\t') => _text.Append('\uFFFD'),
                _ => _text.Append(c),
            };
        }
    }
}
