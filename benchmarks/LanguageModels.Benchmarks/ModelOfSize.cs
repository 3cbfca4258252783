using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation;
using FedKSeed.Training;
using TorchSharp;

namespace FedKSeed.LanguageModels.Benchmarks;

/// <summary>
/// What a model of some size takes, memory and time: writes a LLaMA checkpoint of made-up weights, loads it and runs steps.
/// The figures of docs/MODELS.md. Times are the processor's, which other programs disturb less than the clock's. Linux only: the peak is
/// the kernel's own, VmHWM.
/// </summary>
internal static class ModelOfSize
{
    private const int Layers = 12, Vocabulary = 32_000, Tokens = 512, Steps = 3;

    /// <summary>Writes the checkpoint, and measures in a process of its own, whose memory nothing else has touched.</summary>
    /// <param name="millions">Weights.</param>
    /// <param name="type">Compute type.</param>
    /// <param name="threads">Of torch.</param>
    public static int WriteAndMeasure(string millions, string type = "float32", string threads = "1")
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-size-");
        try
        {
            WriteCheckpoint(folder.FullName, HiddenSize(double.Parse(millions, CultureInfo.InvariantCulture) * 1e6));
            using var process = Process.Start(Environment.ProcessPath!, ["measure", folder.FullName, type, threads]);
            process.WaitForExit();
            return process.ExitCode;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    public static int Measure(string folder, string type, string threads)
    {
        torch.set_num_threads(int.Parse(threads, CultureInfo.InvariantCulture));
        Measure(folder, ComputeTypes.Parse(type));
        return 0;
    }

    private static void Measure(string folder, ComputeType type)
    {
        torch.zeros(1).Dispose(); // loads libtorch
        ResetPeak();
        var before = Memory("VmHWM");
        var start = Environment.CpuUsage.TotalTime;
        using var model = CausalLanguageModel.Load(folder, type);
        var weights = model.BaseWeights();
        var weightBytes = model.Checkpoint.WeightCount * (double)(type switch { ComputeType.F64 => 8, ComputeType.F32 => 4, _ => 2 });
        Report("weights", $"{model.Checkpoint.WeightCount / 1e6:F1} M, {weightBytes / 1e6:F0} MB in {type.Name()}");
        Report("load", $"{(Environment.CpuUsage.TotalTime - start).TotalSeconds:F2} s, peak {(Memory("VmHWM") - before) / weightBytes:F3} "
            + "× the weights");

        var batch = Batch();
        _ = model.Loss(weights, batch);
        var forward = Seconds(() => model.Loss(weights, batch));
        DirectionSpace pool = new() { PoolKey = 7, SeedCount = 4096 };
        Rebuilder rebuilder = new(pool, [.. Enumerable.Range(0, pool.SeedCount).Select(seed => seed % 200 - 100)], 20);
        var rebuild = Seconds(() => model.Rebuild(rebuilder).Dispose(), times: 1);
        weights.Dispose();
        ResetPeak();
        using ZerothOrderTrainer trainer = new(model, pool);
        var seed = 0;
        void Step() => trainer.Step(batch, seed++, 1e-3f, 1e-6);
        Step();
        var step = Seconds(Step);
        Report("forward", $"{forward:F2} s, {Tokens} tokens");
        Report("step", $"{step:F2} s, {step / (2 * forward):F2} × two forward passes");
        Report("rebuild", $"{rebuild:F2} s, {pool.SeedCount} seeds");
        var bytes = Memory("VmHWM") - before;
        Report(
            "trainer",
            $"peak {bytes / 1e6:F0} MB, {bytes / (double)model.Checkpoint.WeightCount:F2} bytes a weight, its loading included");
    }

    private static double Seconds(Action action, int times = Steps)
    {
        var start = Environment.CpuUsage.TotalTime;
        for (var i = 0; i < times; i++)
            action();
        return (Environment.CpuUsage.TotalTime - start).TotalSeconds / times;
    }

    // Four texts of 128 tokens, all labelled.
    private static TokenBatch Batch()
    {
        int[] Text(int row) => [.. Enumerable.Range(0, Tokens / 4 + 1).Select(i => (i * 7919 + row * 104_729) % Vocabulary)];
        return new TokenBatch([.. Enumerable.Range(0, 4).Select(Text).Select(ids => new TokenSequence(ids, ids))]);
    }

    // 12·L·H² in the blocks (attention 4·H², feed-forward 3·H·8/3·H) and 2·V·H in embedding and head; H a multiple of 128.
    private static int HiddenSize(double weights)
    {
        var hidden = 128;
        while (12.0 * Layers * hidden * hidden + 2.0 * Vocabulary * hidden < weights)
            hidden += 128;
        return hidden;
    }

    private static void WriteCheckpoint(string folder, int hidden)
    {
        var inner = hidden * 8 / 3 / 64 * 64;
        File.WriteAllText(Path.Combine(folder, "config.json"), JsonSerializer.Serialize(new
        {
            model_type = "llama",
            vocab_size = Vocabulary,
            hidden_size = hidden,
            intermediate_size = inner,
            num_hidden_layers = Layers,
            num_attention_heads = hidden / 64,
        }));
        Dictionary<string, string> files = [];
        void Write(string file, params (string Name, long[] Shape)[] tensors)
        {
            foreach ((var name, _) in tensors)
                files[name] = file;
            CheckpointWriter.Write(Path.Combine(folder, file), tensors.Select(tensor => Tensor(tensor.Name, tensor.Shape)));
        }
        Write("model-embedding.safetensors", ("model.embed_tokens.weight", [Vocabulary, hidden]), ("model.norm.weight", [hidden]));
        Write("model-head.safetensors", ("lm_head.weight", [Vocabulary, hidden]));
        for (var i = 0; i < Layers; i++)
        {
            var name = $"model.layers.{i}";
            Write($"model-{i}.safetensors",
                ($"{name}.input_layernorm.weight", [hidden]), ($"{name}.post_attention_layernorm.weight", [hidden]),
                ($"{name}.self_attn.q_proj.weight", [hidden, hidden]), ($"{name}.self_attn.k_proj.weight", [hidden, hidden]),
                ($"{name}.self_attn.v_proj.weight", [hidden, hidden]), ($"{name}.self_attn.o_proj.weight", [hidden, hidden]),
                ($"{name}.mlp.gate_proj.weight", [inner, hidden]), ($"{name}.mlp.up_proj.weight", [inner, hidden]),
                ($"{name}.mlp.down_proj.weight", [hidden, inner]));
        }
        File.WriteAllText(Path.Combine(folder, Checkpoint.IndexFile), JsonSerializer.Serialize(new { weight_map = files }));
    }

    // BF16, about ±0.02, as real checkpoints have it.
    private static TensorContent Tensor(string name, long[] shape)
    {
        var values = new float[shape.Aggregate((a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = shape.Length == 1 ? 1 : ((i * 2654435761L) % 1001 - 500) * 4e-5f;
        var elements = new byte[2 * values.Length];
        TensorType.BF16.Narrow(values, elements);
        return new TensorContent(name, TensorType.BF16, shape, elements);
    }

    private static void ResetPeak()
    {
        GC.Collect();
        File.WriteAllText("/proc/self/clear_refs", "5");
    }

    private static long Memory(string field) => 1024 * long.Parse(
        File.ReadLines("/proc/self/status").Single(line => line.StartsWith(field, StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
        CultureInfo.InvariantCulture);

    private static void Report(string what, string figure) => Console.WriteLine($"{what,-8} {figure}");
}
