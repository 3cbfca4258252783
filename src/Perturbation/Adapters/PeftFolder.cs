using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Adapters;

/// <summary>
/// An adapter as the library PEFT keeps it: adapter_config.json and adapter_model.safetensors, with tensors named after the modules of
/// transformers' model. LoRA and prompt tuning; what a configuration asks for beyond those is refused, and named.
/// </summary>
public static class PeftFolder
{
    public const string ConfigFile = "adapter_config.json", WeightsFile = "adapter_model.safetensors";

    private const string Prefix = "base_model.model.", Lora = "LORA", Prompt = "PROMPT_TUNING";

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // Fields that are read, and those that say how an adapter was made and not what it is. Any other must be null, false or empty.
    private static readonly HashSet<string> Known =
    [
        "peft_type", "r", "lora_alpha", "target_modules", "bias", "num_virtual_tokens", "token_dim", "num_transformer_submodules",
        "base_model_name_or_path", "task_type", "inference_mode", "auto_mapping", "revision", "peft_version", "fan_in_fan_out",
        "lora_dropout", "init_lora_weights", "loftq_config", "eva_config", "corda_config", "arrow_config", "runtime_config",
        "qalora_group_size", "prompt_tuning_init", "prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs",
        "num_attention_heads", "num_layers", "megatron_core", "ensure_weight_tying",
    ];

    // Ways to begin that change the base's own weights, so that the adapter fits no other.
    private static readonly string[] ChangedBases = ["pissa", "olora", "loftq", "corda"];

    /// <summary>Whether a folder is an adapter alone: it says so, and has no configuration of a model.</summary>
    public static bool IsIn(string folder) =>
        File.Exists(Path.Combine(folder, ConfigFile)) && !File.Exists(Path.Combine(folder, BaseConfig.FileName));

    /// <summary>A model as people name it: its base, and the adapter's folder if there is one.</summary>
    /// <param name="model">A model's folder, or that of an adapter, which names its base.</param>
    /// <param name="adapter">The adapter's, where <paramref name="model"/> is the base.</param>
    /// <exception cref="CheckpointException">The base is not there.</exception>
    public static (string Base, string? Adapter) Find(string model, string? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (adapter is not null || !IsIn(model))
            return (model, adapter);
        var name = Config(model)["base_model_name_or_path"] is JsonValue value && value.TryGetValue<string>(out var text) ? text : "";
        foreach (var folder in (string[])[name, Path.Combine(model, name)])
        {
            if (name.Length > 0 && Directory.Exists(folder) && !IsIn(folder))
                return (folder, model);
        }
        throw new CheckpointException(
            Path.Combine(model, ConfigFile), "base_model_name_or_path",
            $"there is no folder '{name}': name the base's with --model and this one with --adapter.");
    }

    /// <summary>Reads an adapter of a base.</summary>
    /// <exception cref="CheckpointException">
    /// A file is missing or broken, asks for what is not supported, or does not fit the base; the message names the field or tensor.
    /// </exception>
    public static AdapterContent Read(string folder, Checkpoint source)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(source);
        var config = Config(folder);
        var path = Path.Combine(folder, ConfigFile);
        RequireSupported(config, path);
        var adapter = AdapterOf(config, path);
        using var file = SafetensorsFile.Open(Path.Combine(folder, WeightsFile));
        var tensors = file.Header.Entries.Select(entry => new TensorContent(
            NameIn(source, entry.Name, file.Path), entry.Type, entry.Shape,
            file.Bytes(entry.Begin, checked((int)(entry.End - entry.Begin))).ToArray())).ToArray();
        var content = new AdapterContent(adapter, tensors);
        RequireFit(content, source, file.Path);
        return content;
    }

    /// <summary>Writes an adapter; a model or another adapter that the folder holds is replaced.</summary>
    /// <param name="content">The adapter, of LoRA or a prompt.</param>
    /// <param name="source">Its base, which the configuration names by its folder.</param>
    /// <param name="folder">Created if it is absent.</param>
    /// <exception cref="FormatException">PEFT has no form for it.</exception>
    public static void Write(AdapterContent content, Checkpoint source, string folder)
    {
        ArgumentNullException.ThrowIfNull(content);
        ArgumentNullException.ThrowIfNull(source);
        if (content.Adapter.Kind is not (AdapterKind.Lora or AdapterKind.Prompt))
            throw new FormatException($"PEFT has no form for an adapter of kind {content.Adapter.Kind}.");
        Directory.CreateDirectory(folder);
        foreach (var name in (string[])[Checkpoint.IndexFile, Checkpoint.SingleFile, BaseConfig.FileName])
            File.Delete(Path.Combine(folder, name));
        CheckpointWriter.Write(
            Path.Combine(folder, WeightsFile), content.Tensors.Select(tensor => tensor with { Name = NameOf(source, tensor.Name) }));
        using var file = new AtomicFile(Path.Combine(folder, ConfigFile), 0);
        JsonSerializer.Serialize(file.Stream, ConfigOf(content, source), Json);
        file.Stream.Write("\n"u8);
        file.Commit();
    }

    private static JsonObject ConfigOf(AdapterContent content, Checkpoint source)
    {
        var (adapter, name) = (content.Adapter, Path.GetFullPath(source.Folder));
        return adapter.Kind == AdapterKind.Prompt
            ? new JsonObject
            {
                ["base_model_name_or_path"] = name,
                ["inference_mode"] = true,
                ["num_transformer_submodules"] = 1,
                ["num_virtual_tokens"] = adapter.Tokens,
                ["peft_type"] = Prompt,
                ["prompt_tuning_init"] = "RANDOM",
                ["task_type"] = "CAUSAL_LM",
                ["token_dim"] = content.Tensors[0].Shape[1],
            }
            : new JsonObject
            {
                ["base_model_name_or_path"] = name,
                ["bias"] = "none",
                ["fan_in_fan_out"] = BaseConfig.Of(source).IsTransposed,
                ["inference_mode"] = true,
                ["init_lora_weights"] = true,
                // An integer where it is one: PEFT's own type.
                ["lora_alpha"] = adapter.Alpha == Math.Floor(adapter.Alpha) ? (long)adapter.Alpha : adapter.Alpha,
                ["lora_dropout"] = 0.0,
                ["modules_to_save"] = null,
                ["peft_type"] = Lora,
                ["r"] = adapter.Rank,
                ["target_modules"] = new JsonArray([.. adapter.Targets!.Select(target => JsonValue.Create(target))]),
                ["task_type"] = "CAUSAL_LM",
                ["use_rslora"] = false,
            };
    }

    private static JsonObject Config(string folder)
    {
        var path = Path.Combine(folder, ConfigFile);
        if (!File.Exists(path))
            throw new CheckpointException(path, null, "the file is missing: this is no folder of an adapter.");
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject
                ?? throw new CheckpointException(path, null, "not a JSON object.");
        }
        catch (JsonException fault)
        {
            throw new CheckpointException(path, null, $"not JSON: {fault.Message}");
        }
    }

    private static void RequireSupported(JsonObject config, string path)
    {
        foreach (var (name, value) in config)
        {
            var isNothing = value is null or JsonArray { Count: 0 } or JsonObject { Count: 0 }
                || value.GetValueKind() == JsonValueKind.False;
            if (!isNothing && !Known.Contains(name))
                throw new CheckpointException(path, name, $"{Short(value)} is not supported.");
        }
        Require("task_type", "CAUSAL_LM", "CAUSAL_LM");
        Require("bias", "none", "none");
        Require("num_transformer_submodules", "1", "1");
        if (Text(config, "init_lora_weights") is { } way
            && ChangedBases.Any(other => way.StartsWith(other, StringComparison.OrdinalIgnoreCase)))
            throw new CheckpointException(path, "init_lora_weights", $"{way} is not supported: it changes the weights of the base.");

        void Require(string name, string absent, string supported)
        {
            var found = Text(config, name) ?? absent;
            if (found != supported)
                throw new CheckpointException(path, name, $"{found} is not supported, {supported} is.");
        }
    }

    private static Adapter AdapterOf(JsonObject config, string path) => Text(config, "peft_type") switch
    {
        Lora => new Adapter
        {
            Kind = AdapterKind.Lora,
            Rank = (int)Number(config, path, "r", 1, Adapter.LargestRank),
            Alpha = Number(config, path, "lora_alpha", double.Epsilon, 1 << 20),
            Targets = Targets(config),
        },
        Prompt => new Adapter
        {
            Kind = AdapterKind.Prompt,
            Tokens = (int)Number(config, path, "num_virtual_tokens", 1, Adapter.MostTokens),
        },
        var other => throw new CheckpointException(path, "peft_type", $"{other ?? "nothing"} is not supported; {Lora} and {Prompt} are."),
    };

    private static string[] Targets(JsonObject config) => config["target_modules"] is JsonArray { Count: > 0 } list
        ? [.. list.Select(name => name?.ToString() ?? "").Order(StringComparer.Ordinal)]
        : [Text(config, "target_modules") ?? "all"];

    private static double Number(JsonObject config, string path, string name, double least, double most) =>
        config[name] is JsonValue value && value.TryGetValue<double>(out var number) && number >= least && number <= most
            ? number
            : throw new CheckpointException(path, name, $"{Short(config[name])} is not a number between {least:G3} and {most}.");

    private static string? Text(JsonObject config, string name) => config[name]?.ToString();

    private static string Short(JsonNode? value) => value?.ToJsonString() is { } text ? text[..Math.Min(text.Length, 80)] : "null";

    /// <summary>Its layers' names in transformers' model: a checkpoint of the body alone leaves a part of them out.</summary>
    private static string NameOf(Checkpoint source, string name) =>
        name == AdapterContent.PromptName ? name
        : Prefix + (IsBodyAlone(source) ? BaseConfig.Of(source).Prefix : "") + name;

    private static string NameIn(Checkpoint source, string name, string path)
    {
        if (name == AdapterContent.PromptName)
            return name;
        var body = BaseConfig.Of(source).Prefix;
        if (!name.StartsWith(Prefix, StringComparison.Ordinal))
            throw new CheckpointException(path, name, $"the name does not begin with {Prefix}, as those of PEFT's causal models do.");
        name = name[Prefix.Length..];
        return IsBodyAlone(source) && name.StartsWith(body, StringComparison.Ordinal) ? name[body.Length..] : name;
    }

    private static bool IsBodyAlone(Checkpoint source)
    {
        var prefix = BaseConfig.Of(source).Prefix;
        return !source.Base.Tensors.Any(tensor => tensor.Name.StartsWith(prefix, StringComparison.Ordinal));
    }

    private static void RequireFit(AdapterContent content, Checkpoint source, string path)
    {
        try
        {
            AdapterContent.RequireFit(content, source);
        }
        catch (FormatException fault)
        {
            throw new CheckpointException(path, null, fault.Message);
        }
    }
}
